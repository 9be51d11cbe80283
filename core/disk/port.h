/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/inventory.h"

struct out;

/* Where a disk is plugged in, in words that a person can follow to a slot or a cable. */

/*
 * Prints it from the text of a device path: "PCI 1F.2, SATA port 1" of
 * "PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x1,0xFFFF,0x0)". Prints nothing where no part of the path is
 * known.
 */
void port_print(const char *path, struct out *);

/*
 * Prints what tells a disk from its twins, which are disks with the same bus, model, serial number
 * and size: its port, or its device path if a twin has a port with the same words. Prints nothing,
 * and returns false, for a disk without a twin.
 */
bool port_print_of_twin(const struct inventory *, const struct inventory_disk *, struct out *);
