/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a drive says of itself that decides whether an image of it is worth anything. All of it is
 * read; nothing that is asked changes the drive. A drive, or a firmware, that does not answer has
 * nothing of it: zeros mean "not known, or nothing to say".
 *
 * The functions take the drive's answers apart, whichever command has brought them.
 */
struct drive_facts {
	bool ata_password; /* an ATA password is set */
	bool ata_locked;   /* ... and every read fails until it is given */
	bool failing;      /* SMART: the drive expects to fail */
	bool has_hpa;      /* ATA: a host protected area may be set: drive_take_native() */
	bool has_dco;      /* ATA: it may have an overlay: drive_take_overlay() */
	/* bytes at the end of the drive that it shows to nobody: in a host protected area ... */
	uint64_t hidden_bytes;
	/* ... and taken away by a device configuration overlay */
	uint64_t overlay_bytes;

	uint8_t nvme_warning;      /* bits of "critical warning" of NVMe's health log */
	uint64_t nvme_errors;      /* "media and data integrity errors"; at most 2^64 - 1 */
	uint64_t nvme_unallocated; /* bytes of the drive that belong to no namespace */
	size_t nvme_hidden;        /* namespaces that the firmware shows no disk for */

	bool opal_shadow; /* TCG: the shadow MBR is shown instead of the first 128 MB */
	bool opal_locked; /* TCG: a range is locked */
};

enum {
	DRIVE_ATA_BYTES = 512,         /* of IDENTIFY DEVICE */
	DRIVE_OVERLAY_BYTES = 512,     /* of DEVICE CONFIGURATION IDENTIFY */
	DRIVE_NVME_BYTES = 4096,       /* of Identify Controller */
	DRIVE_NVME_HEALTH_BYTES = 512, /* of the log page SMART / Health Information */
	DRIVE_TCG_BYTES = 512,         /* of level 0 discovery, as much as is asked for */
};

/* IDENTIFY DEVICE (ACS-3, 7.12): words 82, 83, 85, 86, 128. */
void drive_take_ata(struct drive_facts *, const uint8_t answer[static DRIVE_ATA_BYTES]);

/*
 * READ NATIVE MAX ADDRESS EXT has found so many sectors, of which the same answer shows fewer, or
 * all; 0: not known.
 */
void drive_take_native(struct drive_facts *, const uint8_t answer[static DRIVE_ATA_BYTES],
		       uint64_t sectors);

/*
 * DEVICE CONFIGURATION IDENTIFY (ATA8-ACS, 7.9.3) has found the capacity that the drive was made
 * with. What READ NATIVE MAX ADDRESS EXT has found is already less than that by the overlay; 0: it
 * was not asked, for lack of a host protected area, or not answered.
 */
void drive_take_overlay(struct drive_facts *, const uint8_t answer[static DRIVE_ATA_BYTES],
			const uint8_t overlay[static DRIVE_OVERLAY_BYTES], uint64_t native);

/* Whether SMART is on, in the same answer: otherwise SMART RETURN STATUS is an error. */
bool drive_ata_has_smart(const uint8_t answer[static DRIVE_ATA_BYTES]);

/* Identify Controller (NVM Express Base Specification 1.4, figure 247). */
void drive_take_nvme(struct drive_facts *, const uint8_t answer[static DRIVE_NVME_BYTES]);

/* The health log (the same, figure 194). */
void drive_take_nvme_health(struct drive_facts *,
			    const uint8_t answer[static DRIVE_NVME_HEALTH_BYTES]);

/* Level 0 discovery (TCG Storage Architecture Core Specification 2.01, 3.3.6), `n` bytes of it. */
void drive_take_tcg(struct drive_facts *, const uint8_t *answer, size_t n);

/* A controller of disks that no driver of the firmware uses. PCI's ids and class codes. */
struct idle_controller {
	uint16_t vendor, device;
	uint8_t subclass, interface; /* of class 1, mass storage */
};

enum { IDLE_CONTROLLERS_MAX = 8 };
