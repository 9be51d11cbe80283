/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/inventory.h"

struct out;

/* Where a disk is plugged in, in words that lead to a slot or a cable. */

/*
 * Prints the port of a device path: "PCI 1F.2, SATA port 1" for
 * "PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x1,0xFFFF,0x0)". Prints nothing if no node of the path is
 * known.
 */
void port_print(const char *path, struct out *);

/*
 * Prints what distinguishes a disk from its twins, disks with the same bus, model, serial number
 * and size: its port, or its device path if the port of a twin reads the same. For a disk without a
 * twin, prints nothing and returns false.
 */
bool port_print_of_twin(const struct inventory *, const struct inventory_disk *, struct out *);
