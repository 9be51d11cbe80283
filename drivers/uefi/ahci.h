/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * Counts how often the firmware's AHCI driver issues a command on one port of a controller:
 * ahci_count_begin() before the command, ahci_count_end() after it. Returns 0 where nothing can be
 * counted: the controller is no AHCI controller on PCI, or its driver does not use
 * EFI_PCI_IO_PROTOCOL. One port at a time; both calls from one function.
 */
void ahci_count_begin(EFI_HANDLE controller, uint16_t port);
unsigned ahci_count_end(void);
