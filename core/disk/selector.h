/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/inventory.h"

struct out;

/*
 * Names of disks and partitions by what they are, which are still right after a reboot
 * (platform/path.h knows them from those of files):
 *
 *   serial=S4X9NG0R12    the disk with that serial number
 *   guid=3f1e...         the disk whose GPT has that GUID, or the partition that has it there
 *   path=PciRoot(0x0)... the disk or partition with that device path
 *   ...:3                of such a disk, the partition with that number in its table
 *
 * Case does not matter. A name of the map ("blk2:") is found as well; it is right until the map
 * changes.
 */

/* A disk, or a partition of it. */
struct selection {
	const struct inventory_disk *disk;
	const struct inventory_part *part; /* NULL: the whole disk */
};

enum { SELECTOR_BYTES = 512 }; /* room for most of them as text */

/*
 * Finds what a name means. Errors: ST_NOT_FOUND; ST_INVALID where it can mean more than one thing
 * (two disks; or a disk "X:1" and a disk "X", of whose partition 1 it is the name), or is not
 * complete. The words list what there is to choose from, by names that are not ambiguous.
 */
enum status selector_find(const struct inventory *, const char *name, struct selection *ret,
			  struct error *);

/*
 * Prints the name that a disk or partition is best called by: its serial number, else the GUID of
 * its GPT, else its device path, else the name of the map. selector_find() finds nothing else by
 * that name, nor by the part of it after
 * "=" with another prefix before it. Prints nothing if there is no such name.
 */
void selector_print(const struct inventory *, const struct selection *, struct out *);

/* The same as it is typed in a command line: in quotation marks where it needs them. */
void selector_print_typed(const struct inventory *, const struct selection *, struct out *);

/* The disk or partition that is the device of that id. False: none. */
bool selector_of_device(const struct inventory *, uintptr_t id, struct selection *ret);

/*
 * Finds the disk or partition that a name means, or that has the file of that name, which need not
 * be there yet. False: none.
 */
bool selector_place(const struct inventory *, const char *name, struct selection *ret);

/* Whether they have any bytes in common. */
bool selector_overlap(const struct selection *, const struct selection *);
