/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Words for what drives say of themselves (platform/drive.h). A person reads them before an image
 * is made: each says what the image would lack, not what a bit is called.
 */
#include "disk/drive_note.h"

#include "base/size.h"

/* "Critical warning" of NVMe's health log (NVM Express Base Specification 1.4, figure 194). */
static void print_nvme_warning(uint8_t bits, struct out *out)
{
	static const char *const words[] = {
		"its spare blocks are nearly used up",
		"its temperature is outside of its limits",
		"it has become unreliable",
		"it has made itself read-only",
		"its power backup has failed",
		"its persistent memory is unreliable",
	};
	const char *before = "";

	out_text(out, "the drive warns: ");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if ((bits >> i & 1) == 0)
			continue;
		out_printf(out, "%s%s", before, words[i]);
		before = ", ";
	}
	if (before[0] == '\0')
		out_printf(out, "0x%02x", (unsigned)bits);
}

static void begin(struct out *out, bool *begun)
{
	if (*begun)
		out_text(out, "; ");
	*begun = true;
}

/* What is shown is not what the disk has. */
static void print_access(const struct drive_facts *facts, struct out *out, bool *begun)
{
	if (facts->opal_shadow) {
		begin(out, begun);
		out_text(out, "the drive shows its pre-boot area (Opal shadow MBR) instead of its "
			      "first 128 MB, so an image of it has the wrong contents: unlock it "
			      "by its pre-boot program, and start efi-img without powering off");
	} else if (facts->opal_locked) {
		begin(out, begun);
		out_text(out, "the drive is locked (Opal): unlock it first");
	}
	if (facts->ata_locked) {
		begin(out, begun);
		out_text(out, "the drive is locked by an ATA password, and no sector of it can be "
			      "read: unlock it in the firmware's settings");
	} else if (facts->ata_password) {
		begin(out, begun);
		out_text(out, "the drive has an ATA password, which no image and no other drive "
			      "gets");
	}
}

static void print_health(const struct drive_facts *facts, struct out *out, bool *begun)
{
	if (facts->failing) {
		begin(out, begun);
		out_text(out, "the drive expects to fail soon (SMART): copy it now, with "
			      "--salvage");
	}
	if (facts->nvme_warning != 0) {
		begin(out, begun);
		print_nvme_warning(facts->nvme_warning, out);
	}
	if (facts->nvme_errors > 0) {
		begin(out, begun);
		out_printf(out, "the drive has counted %ju media errors", facts->nvme_errors);
	}
}

/* What no disk of the firmware shows, and an image therefore lacks. */
static void print_hidden(const struct drive_facts *facts, struct out *out, bool *begun)
{
	if (facts->hidden_bytes > 0) {
		begin(out, begun);
		size_print(out, facts->hidden_bytes);
		out_text(out, " at its end are hidden (host protected area), and not in an image");
	}
	if (facts->overlay_bytes > 0) {
		begin(out, begun);
		size_print(out, facts->overlay_bytes);
		out_text(out, " at its end are hidden (device configuration overlay), and not in "
			      "an image");
	}
	if (facts->nvme_hidden > 0) {
		begin(out, begun);
		out_printf(out,
			   "%zu more namespace%s of the drive %s not shown by the firmware, "
			   "and not in an image",
			   facts->nvme_hidden, facts->nvme_hidden == 1 ? "" : "s",
			   facts->nvme_hidden == 1 ? "is" : "are");
	}
	if (facts->nvme_unallocated > 0) {
		begin(out, begun);
		size_print(out, facts->nvme_unallocated);
		out_text(out, " of the drive belong to no namespace");
	}
}

void drive_note_print(const struct drive_facts *facts, struct out *out)
{
	bool begun = false;

	print_access(facts, out, &begun);
	print_health(facts, out, &begun);
	print_hidden(facts, out, &begun);
}

/* Subclasses of mass storage (PCI Code and ID Assignment Specification 1.11, 1.2). */
void idle_controller_print(const struct idle_controller *controller, struct out *out)
{
	enum { RAID = 4, SATA = 6, SAS = 7, NVME = 8, INTEL = 0x8086 };
	static const char *const kinds[] = {
		"SCSI", "IDE", "floppy disk", "IPI", "RAID", "ATA", "SATA", "SAS", "NVMe", "UFS",
	};
	uint8_t kind = controller->subclass;

	out_printf(out,
		   "The firmware has no driver for the %s controller PCI %04x:%04x, so disks on it "
		   "are not listed",
		   kind < sizeof kinds / sizeof kinds[0] ? kinds[kind] : "storage",
		   (unsigned)controller->vendor, (unsigned)controller->device);
	if (kind == RAID && controller->vendor == INTEL)
		out_text(out, ": switch RAID, RST or VMD to AHCI or NVMe in the firmware's "
			      "settings, and back afterwards");
	else if (kind == RAID)
		out_text(out, ": switch it from RAID to AHCI in the firmware's settings, if its "
			      "disks are no array");
	else
		out_text(out, ": look for it in the firmware's settings");
}
