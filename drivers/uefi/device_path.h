/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Device paths (UEFI 2.10, chapter 10): packed nodes that say how a device is reached, from the
 * root of the machine down. Nodes stand at any address and come from drivers of any quality, so
 * their fields are read by these functions alone.
 */

/* The path of a handle, owned by the firmware. NULL: it has none. */
const EFI_DEVICE_PATH_PROTOCOL *device_path_of(EFI_HANDLE);

/*
 * The node after `node`, or NULL at the path's end; a node with an impossible length ends it too.
 * `node` is not NULL.
 */
const EFI_DEVICE_PATH_PROTOCOL *device_path_next(const EFI_DEVICE_PATH_PROTOCOL *node);

/* The first node of a path, NULL for none; and a loop over all nodes. */
const EFI_DEVICE_PATH_PROTOCOL *device_path_first(const EFI_DEVICE_PATH_PROTOCOL *path);

#define FOR_EACH_NODE(node, path) \
	for (const EFI_DEVICE_PATH_PROTOCOL *node = device_path_first(path); node != NULL; \
	     node = device_path_next(node))

/* The length of all nodes in bytes, without the node that ends the path. */
size_t device_path_length(const EFI_DEVICE_PATH_PROTOCOL *);

/* Whether `path` begins with all nodes of `prefix` and goes on. */
bool device_path_is_below(const EFI_DEVICE_PATH_PROTOCOL *path,
			  const EFI_DEVICE_PATH_PROTOCOL *prefix);

/* `n` bytes (1 to 8) of a node, from `offset` on, as a number; 0 where the node is shorter. */
uint64_t device_path_field(const EFI_DEVICE_PATH_PROTOCOL *node, size_t offset, size_t n);

/* A copy that ends after `length` bytes of nodes. Freed with mem_free(). NULL: no memory. */
EFI_DEVICE_PATH_PROTOCOL *device_path_copy(const EFI_DEVICE_PATH_PROTOCOL *, size_t length);

/*
 * A copy of the last node, by which its controller knows a device. Freed with mem_free(). NULL: no
 * memory, or no path.
 */
EFI_DEVICE_PATH_PROTOCOL *device_path_last(const EFI_DEVICE_PATH_PROTOCOL *);

/*
 * The text form, "" without a path or where the firmware cannot make it. Freed with mem_free().
 * NULL: no memory.
 */
char *device_path_text(const EFI_DEVICE_PATH_PROTOCOL *);

/* The nearest handle at or above `path` that has the protocol, NULL: there is none. */
EFI_HANDLE device_path_locate(const EFI_DEVICE_PATH_PROTOCOL *path, EFI_GUID *protocol);

/* Whether what the path leads to is behind a virtio function of the PCI bus. */
bool device_path_is_virtio(const EFI_DEVICE_PATH_PROTOCOL *);
