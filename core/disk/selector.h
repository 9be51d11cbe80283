/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/inventory.h"

struct out;

/*
 * Selectors: names of disks and partitions by identity, which stay valid after a reboot
 * (path_is_selector() tells them from file names):
 *
 *   serial=S4X9NG0R12    the disk with this serial number
 *   guid=3f1e...         the disk whose GPT has this GUID, or the partition with it
 *   path=PciRoot(0x0)... the disk or partition with this device path
 *   ...:3                the partition with this number on such a disk
 *
 * Case is ignored. Map names ("blk2:") are found as well; they are valid until the map changes.
 */

/* A disk or a partition, in an inventory. */
struct selection {
	const struct inventory_disk *disk;
	const struct inventory_part *part; /* NULL: the whole disk */
};

enum { SELECTOR_BYTES = 512 }; /* longer selectors are not printed */

/*
 * Finds what a name selects. Statuses: ST_NOT_FOUND; ST_INVALID (ambiguous: two disks have the
 * name, or it is that of a disk "X:1" and of partition 1 of a disk "X"; or nothing follows the
 * "="). The error text lists the candidates by unambiguous names.
 */
enum status selector_find(const struct inventory *, const char *name, struct selection *ret,
			  struct error *);

/*
 * Prints the best name of a disk or partition: by serial number, otherwise by the GUID of the GPT,
 * device path, or map name. selector_find() finds nothing else by that name, nor by what follows
 * "=" in it after any other prefix. Prints nothing if there is no such name.
 */
void selector_print(const struct inventory *, const struct selection *, struct out *);

/* Prints the same as it is typed in a command line: in quotation marks where needed. */
void selector_print_typed(const struct inventory *, const struct selection *, struct out *);

/* Finds the disk or partition with this id of struct device. False: none. */
bool selector_of_device(const struct inventory *, uintptr_t id, struct selection *ret);

/*
 * Finds the disk or partition that a name selects, or that a file of this name is on or would be
 * created on. False: none.
 */
bool selector_place(const struct inventory *, const char *name, struct selection *ret);

/* Returns whether two selections have bytes in common. */
bool selector_overlap(const struct selection *, const struct selection *);
