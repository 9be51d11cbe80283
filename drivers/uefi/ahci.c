/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Counts how often an ATA command was really sent to the drive.
 *
 * EDK2's AHCI driver, from edk2-stable202011 to edk2-stable202302, repeats a command that the drive
 * has failed up to four times, and reports only the last result. For most commands that is
 * harmless, for FLUSH CACHE it is not: a drive that cannot write a sector of its cache fails the
 * command, drops the sector, and continues with the sectors after it at the next FLUSH CACHE
 * (ATA8-ACS, 7.15), which then succeeds. Only the first result counts, and no protocol returns it.
 *
 * The driver issues a command by setting a bit of the register PxCI (AHCI 1.3.1, 3.3.14), which it
 * writes through the controller's EFI_PCI_IO_PROTOCOL. For the duration of one command that
 * protocol's write function is replaced by one that counts. A command issued twice has failed once.
 *
 * What the driver does is not changed. Drivers that access registers in another way, and those of
 * other controllers, are not counted.
 */
#include <efi.h>

#include "ahci.h"

#include "firmware.h"

enum {
	ABAR = 5, /* the base address register (BAR) of the AHCI registers */
	PORTS_OFFSET = 0x100,
	PORT_BYTES = 0x80,
	PORT_COMMAND_ISSUE = 0x38,
};

/*
 * The one port being counted. Global, because the firmware calls write_counted() without context.
 */
static struct {
	EFI_PCI_IO_PROTOCOL *pci; /* NULL: nothing is counted */
	EFI_PCI_IO_PROTOCOL_IO_MEM write;
	uint64_t command_issue; /* offset of the port's PxCI */
	unsigned n_issued;
} counted;

static EFI_STATUS EFIAPI write_counted(EFI_PCI_IO_PROTOCOL *pci, EFI_PCI_IO_PROTOCOL_WIDTH width,
				       UINT8 bar, UINT64 offset, UINTN count, VOID *value)
{
	if (bar == ABAR && offset == counted.command_issue && width == EfiPciIoWidthUint32 &&
	    count == 1 && *(const UINT32 *)value != 0)
		counted.n_issued++;
	return counted.write(pci, width, bar, offset, count, value);
}

void ahci_count_begin(EFI_HANDLE controller, uint16_t port)
{
	counted.pci = PROTOCOL(controller, EFI_PCI_IO_PROTOCOL);
	counted.command_issue = PORTS_OFFSET + port * (uint64_t)PORT_BYTES + PORT_COMMAND_ISSUE;
	counted.n_issued = 0;
	if (counted.pci == NULL)
		return;
	counted.write = counted.pci->Mem.Write;
	counted.pci->Mem.Write = write_counted;
}

unsigned ahci_count_end(void)
{
	if (counted.pci != NULL)
		counted.pci->Mem.Write = counted.write;
	counted.pci = NULL;
	return counted.n_issued;
}
