/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Takes apart what drives answer: IDENTIFY DEVICE (ATA/ATAPI Command Set - 3), DEVICE CONFIGURATION
 * IDENTIFY (ATA8-ACS; no longer in version 4 of the command set), Identify Controller
 * and the health log (NVM Express Base Specification 1.4), level 0 discovery (TCG Storage
 * Architecture Core Specification). Untrusted: a drive may answer anything; a field that says of
 * itself that it is not valid says nothing.
 */
#include "platform/drive.h"

#include "base/bytes.h"
#include "base/range.h"

/* ---- ATA ---- */

/* Words of IDENTIFY DEVICE, and bits of them. */
enum {
	WORD_SECTORS_28 = 60,
	WORD_SUPPORTED = 82,
	WORD_SUPPORTED_2 = 83,
	WORD_ENABLED = 85,
	WORD_ENABLED_2 = 86,
	WORD_ENABLED_3 = 87,
	WORD_SECTORS_48 = 100,
	WORD_SECURITY = 128,
	VALID_MASK = 0xc000, /* of words 83 and 87: 82 to 84, and 85 to 87, are valid */
	VALID = 0x4000,
	HAS_LBA_48 = 1 << 10, /* word 83 */
	OVERLAY = 1 << 11,    /* words 83 and 86 */
	SMART = 1 << 0,       /* words 82 and 85 */
	HPA = 1 << 10,
	SECURITY_SUPPORTED = 1 << 0,
	SECURITY_ENABLED = 1 << 1,
	SECURITY_LOCKED = 1 << 2,
};

static const uint8_t *word_at(const uint8_t *answer, size_t i)
{
	return answer + 2 * i;
}

static uint32_t word(const uint8_t *answer, size_t i)
{
	return (uint32_t)bytes_from_le(word_at(answer, i), 2);
}

/*
 * Whether a feature is there, and on, by a pair of words. Drives that answer nothing have all words
 * 0 or 0xffff.
 */
static bool is_on(const uint8_t *answer, size_t supported, size_t enabled, uint32_t bit)
{
	return (word(answer, WORD_SUPPORTED_2) & VALID_MASK) == VALID &&
	       (word(answer, WORD_ENABLED_3) & VALID_MASK) == VALID &&
	       (word(answer, supported) & bit) != 0 && (word(answer, enabled) & bit) != 0;
}

static bool has_feature(const uint8_t *answer, uint32_t bit)
{
	return is_on(answer, WORD_SUPPORTED, WORD_ENABLED, bit);
}

void drive_take_ata(struct drive_facts *facts, const uint8_t answer[static DRIVE_ATA_BYTES])
{
	uint32_t security = word(answer, WORD_SECURITY);

	if ((word(answer, WORD_SUPPORTED_2) & VALID_MASK) != VALID)
		return;
	facts->has_hpa = has_feature(answer, HPA);
	facts->has_dco = is_on(answer, WORD_SUPPORTED_2, WORD_ENABLED_2, OVERLAY);
	if (security == UINT16_MAX || (security & SECURITY_SUPPORTED) == 0)
		return;
	facts->ata_password = (security & SECURITY_ENABLED) != 0;
	facts->ata_locked = (security & SECURITY_LOCKED) != 0;
}

/* Bytes of a logical sector (ACS-3, 7.12.7.71): words 117 and 118, if word 106 says so. */
static uint64_t sector_bytes(const uint8_t *answer)
{
	enum { SIZES = 106, IS_LONG = 1 << 12, SECTOR_WORDS = 117, USUAL = 512 };
	uint64_t bytes = 2 * bytes_from_le(word_at(answer, SECTOR_WORDS), 4);

	return (word(answer, SIZES) & VALID_MASK) == VALID && (word(answer, SIZES) & IS_LONG) != 0
		       ? bytes
		       : USUAL;
}

static uint64_t shown_sectors(const uint8_t *answer)
{
	bool is_48 = (word(answer, WORD_SUPPORTED_2) & VALID_MASK) == VALID &&
		     (word(answer, WORD_SUPPORTED_2) & HAS_LBA_48) != 0;

	return is_48 ? bytes_from_le(word_at(answer, WORD_SECTORS_48), 6)
		     : bytes_from_le(word_at(answer, WORD_SECTORS_28), 4);
}

/* Bytes of `sectors` that are not among those `shown`; 0: none, or absurd. */
static uint64_t bytes_beyond(const uint8_t *answer, uint64_t shown, uint64_t sectors)
{
	uint64_t bytes;

	if (shown == 0 || sectors <= shown ||
	    !mul_ok(sectors - shown, sector_bytes(answer), &bytes))
		return 0;
	return bytes;
}

void drive_take_native(struct drive_facts *facts, const uint8_t answer[static DRIVE_ATA_BYTES],
		       uint64_t sectors)
{
	facts->hidden_bytes = bytes_beyond(answer, shown_sectors(answer), sectors);
}

void drive_take_overlay(struct drive_facts *facts, const uint8_t answer[static DRIVE_ATA_BYTES],
			const uint8_t overlay[static DRIVE_OVERLAY_BYTES], uint64_t native)
{
	enum { LAST_SECTOR = 2 * 3, SIGNATURE = 2 * 255, HAS_CHECKSUM = 0xa5 };
	uint8_t sum = 0;

	if (native == 0 && facts->has_hpa)
		return; /* what a host protected area hides would be taken for the overlay's */
	for (size_t i = 0; i < DRIVE_OVERLAY_BYTES; i++)
		sum = (uint8_t)(sum + overlay[i]);
	if (overlay[SIGNATURE] != HAS_CHECKSUM || sum != 0)
		return;
	facts->overlay_bytes = bytes_beyond(answer, native != 0 ? native : shown_sectors(answer),
					    bytes_from_le(overlay + LAST_SECTOR, 6) + 1);
}

bool drive_ata_has_smart(const uint8_t answer[static DRIVE_ATA_BYTES])
{
	return has_feature(answer, SMART);
}

/* ---- NVMe ---- */

/* A number of 16 bytes; UINT64_MAX where it does not fit. */
static uint64_t number_of_16(const uint8_t *at)
{
	return bytes_from_le(at + 8, 8) != 0 ? UINT64_MAX : bytes_from_le(at, 8);
}

void drive_take_nvme(struct drive_facts *facts, const uint8_t answer[static DRIVE_NVME_BYTES])
{
	enum { OACS = 256, OACS_NAMESPACES = 1 << 3, UNVMCAP = 296 };

	/* the field is one of drives that can manage namespaces */
	if ((bytes_from_le(answer + OACS, 2) & OACS_NAMESPACES) != 0)
		facts->nvme_unallocated = number_of_16(answer + UNVMCAP);
}

void drive_take_nvme_health(struct drive_facts *facts,
			    const uint8_t answer[static DRIVE_NVME_HEALTH_BYTES])
{
	enum { WARNING = 0, ERRORS = 160 };

	facts->nvme_warning = answer[WARNING];
	facts->nvme_errors = number_of_16(answer + ERRORS);
}

/* ---- TCG ---- */

void drive_take_tcg(struct drive_facts *facts, const uint8_t *answer, size_t n)
{
	enum {
		HEAD_BYTES = 48,      /* a length of what follows it, in 4 bytes, and more */
		DESCRIPTOR_BYTES = 4, /* code (2), version, length of the rest */
		LOCKING = 2,          /* code of the feature */
		LOCKED = 1 << 2,
		MBR_ENABLED = 1 << 4,
		MBR_DONE = 1 << 5,
	};
	uint64_t end = n < HEAD_BYTES ? 0 : min_u64(n, bytes_from_be(answer, 4) + 4);

	for (uint64_t at = HEAD_BYTES; range_ok(at, DESCRIPTOR_BYTES + 1, end);
	     at += DESCRIPTOR_BYTES + (uint64_t)answer[at + 3]) {
		uint8_t flags = answer[at + DESCRIPTOR_BYTES];

		if (bytes_from_be(answer + at, 2) != LOCKING || answer[at + 3] == 0)
			continue;
		facts->opal_shadow = (flags & MBR_ENABLED) != 0 && (flags & MBR_DONE) == 0;
		facts->opal_locked = (flags & LOCKED) != 0;
		return;
	}
}
