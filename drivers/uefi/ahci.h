/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * Counts how often the firmware's AHCI driver issues a command on one port. ahci_count_begin()
 * starts it, on the handle of the controller; ahci_count_end() stops it and returns the count. 0:
 * the controller is no AHCI controller on PCI, or its driver does not reach it through
 * EFI_PCI_IO_PROTOCOL, so nothing is known. One port at a time; both calls come from the same
 * function, around one command.
 */
void ahci_count_begin(EFI_HANDLE controller, uint16_t port);
unsigned ahci_count_end(void);
