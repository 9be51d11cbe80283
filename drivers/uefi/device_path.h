/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Device paths (UEFI 2.10, chapter 10): packed nodes that describe how a device is reached, from
 * the root of the machine down. Nodes have any alignment and come from drivers of any quality, so
 * only these functions read their fields.
 */

/* Returns the path of a handle, which the firmware owns. NULL: it has none. */
const EFI_DEVICE_PATH_PROTOCOL *device_path_of(EFI_HANDLE);

/*
 * Returns the node after `node`; NULL: the path ends, or the next node has an impossible length.
 * `node` is not NULL.
 */
const EFI_DEVICE_PATH_PROTOCOL *device_path_next(const EFI_DEVICE_PATH_PROTOCOL *node);

/* Returns the first node of a path; NULL: none. The macro below loops over all nodes. */
const EFI_DEVICE_PATH_PROTOCOL *device_path_first(const EFI_DEVICE_PATH_PROTOCOL *path);

#define FOR_EACH_NODE(node, path) \
	for (const EFI_DEVICE_PATH_PROTOCOL *node = device_path_first(path); node != NULL; \
	     node = device_path_next(node))

/* Returns the length of all nodes in bytes, without the node that ends the path; 0 for NULL. */
size_t device_path_length(const EFI_DEVICE_PATH_PROTOCOL *);

/* Returns whether `path` begins with all nodes of `prefix` and has more. */
bool device_path_is_below(const EFI_DEVICE_PATH_PROTOCOL *path,
			  const EFI_DEVICE_PATH_PROTOCOL *prefix);

/* Returns `n` bytes (1 to 8) of a node at `offset` as a number; 0 if the node is shorter. */
uint64_t device_path_field(const EFI_DEVICE_PATH_PROTOCOL *node, size_t offset, size_t n);

/* Copies the first `length` bytes of nodes. The caller frees with mem_free(). NULL: no memory. */
EFI_DEVICE_PATH_PROTOCOL *device_path_copy(const EFI_DEVICE_PATH_PROTOCOL *, size_t length);

/*
 * Copies the last node, which identifies a device to its controller. The caller frees with
 * mem_free(). NULL: no memory, or no path.
 */
EFI_DEVICE_PATH_PROTOCOL *device_path_last(const EFI_DEVICE_PATH_PROTOCOL *);

/*
 * Returns the path as text, "" for NULL or where the firmware cannot convert it. The caller frees
 * with mem_free(). NULL: no memory.
 */
char *device_path_text(const EFI_DEVICE_PATH_PROTOCOL *);

/* Returns the nearest handle at or above `path` that has the protocol; NULL: none. */
EFI_HANDLE device_path_locate(const EFI_DEVICE_PATH_PROTOCOL *path, EFI_GUID *protocol);

/* Returns whether the path leads through a virtio function on PCI. */
bool device_path_is_virtio(const EFI_DEVICE_PATH_PROTOCOL *);
