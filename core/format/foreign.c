/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files that are known not to be raw disks: images in formats that efi-img does not read,
 * compressed files, archives, backups of other programs, executables. Anything may be a raw disk,
 * so whatever no format claims would be copied byte by byte; for these files that is nearly always
 * a mistake, and onto a disk it costs what was there.
 *
 * One row per signature: where it is (an offset from the beginning, or back from the end), its
 * bytes, what it means, and a second look where the bytes alone are too few. A signature and its
 * second look together are at least 32 bits that random data would have to have by chance. The
 * first row that fits decides. A format that efi-img learns to read takes its rows along into its
 * own probe().
 *
 * Offsets and values are those of the formats' own specifications; RFC 1952 (gzip), RFC 8878
 * (zstd), POSIX ustar, PKWARE's APPNOTE (zip), Microsoft's PE/COFF, cryptsetup's LUKS 1.2.3 and 2.
 *
 * Not here: file systems, which are what a raw disk consists of; ISO 9660, which is a disk if it
 * has a partition table (core/copy/target_contents.c); texts, and formats without a signature
 * (.lzma, tar before POSIX).
 */
#include "format/foreign.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"

enum kind {
	DMG_SPARSE,
	DMG_ENCRYPTED,
	SIMG,
	FFU,
	LUKS,
	GZIP,
	XZ,
	ZSTD,
	BZIP2,
	LZ4,
	LZIP,
	LZOP,
	ZIP,
	SEVEN_ZIP,
	TAR,
	OVA,
	RAR,
	CAB,
	WIM,
	EWF,
	AFF,
	PARTCLONE,
	PARTIMAGE,
	NTFSCLONE,
	PE,
	ELF,
};

#define UNPACK    "unpack it first"
#define NAME_FILE "name the file in it (ARCHIVE/FILE)"
#define RESTORE   "restore it with the program that made it"

static const struct foreign kinds[] = {
	[DMG_SPARSE] = { "dmg", "a sparse disk image of macOS", "convert it with hdiutil first" },
	[DMG_ENCRYPTED] = { "dmg", "an encrypted disk image of macOS",
			    "convert it with hdiutil first" },
	[SIMG] = { "simg", "a sparse image of Android", "convert it with simg2img first" },
	[FFU] = { "ffu", "a Full Flash Update image (Windows)", "apply it with dism" },
	[LUKS] = { "luks", "encrypted (LUKS)", NULL },
	[GZIP] = { "gzip", "compressed (gzip)", UNPACK },
	[XZ] = { "xz", "compressed (xz)", UNPACK },
	[ZSTD] = { "zstd", "compressed (zstd)", UNPACK },
	[BZIP2] = { "bzip2", "compressed (bzip2)", UNPACK },
	[LZ4] = { "lz4", "compressed (lz4)", UNPACK },
	[LZIP] = { "lzip", "compressed (lzip)", UNPACK },
	[LZOP] = { "lzop", "compressed (lzop)", UNPACK },
	[ZIP] = { "zip", "a zip archive", UNPACK },
	[SEVEN_ZIP] = { "7z", "a 7z archive", UNPACK },
	[TAR] = { "tar", "a tar archive", NAME_FILE },
	[OVA] = { "ova", "a virtual machine in an OVA archive", NAME_FILE },
	[RAR] = { "rar", "a RAR archive", UNPACK },
	[CAB] = { "cab", "a cabinet archive (Windows)", UNPACK },
	[WIM] = { "wim", "a WIM archive (Windows), which holds files and no disk",
		  "apply it with dism or wimlib" },
	[EWF] = { "ewf", "an EWF image (EnCase, E01)", "export it with ewfexport first" },
	[AFF] = { "aff", "an AFF image", "convert it with affconvert first" },
	[PARTCLONE] = { "partclone", "an image of partclone",
			"restore it to a raw file with partclone first" },
	[PARTIMAGE] = { "partimage", "an image of Partimage", RESTORE },
	[NTFSCLONE] = { "ntfsclone", "an image of ntfsclone", RESTORE },
	[PE] = { "pe", "a program (Windows, EFI)", "name the image instead" },
	[ELF] = { "elf", "a program (ELF)", "name the image instead" },
};

/*
 * ---- second looks -------------------------------------------------------------------------------
 * -------------------------------------------------------------------------------------------------
 */

/* RFC 1952, 2.3.1: three reserved flags are 0, and the operating system is one of 14 or unknown. */
static bool is_gzip(const struct image_probe *probe)
{
	return (probe->head[3] & 0xe0) == 0 && (probe->head[9] <= 13 || probe->head[9] == 255);
}

/* "BZh", the level, and what the first block begins with, or the end of the stream. */
static bool is_bzip2(const struct image_probe *probe)
{
	const uint8_t *head = probe->head;

	return head[3] >= '1' && head[3] <= '9' &&
	       (memcmp(head + 4, "\x31\x41\x59\x26\x53\x59", 6) == 0 ||
		memcmp(head + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

/* RFC 8878, 3.1.1.1.1: one bit of the frame header is reserved. */
static bool is_zstd(const struct image_probe *probe)
{
	return (probe->head[4] & 0x08) == 0;
}

/* Version 01 of the frame, and a reserved bit. */
static bool is_lz4(const struct image_probe *probe)
{
	return (probe->head[4] & 0xc2) == 0x40;
}

/* A skippable frame, as pzstd writes it, before one that counts. */
static bool is_skipped_zstd(const struct image_probe *probe)
{
	uint64_t next = 8 + bytes_from_le(probe->head + 4, 4);

	return (probe->head[0] & 0xf0) == 0x50 && next <= PROBE_HEAD_BYTES - 4 &&
	       memcmp(probe->head + next, "\x28\xb5\x2f\xfd", 4) == 0;
}

/* The version that is needed to unpack it, in tenths, and the length of the first name. */
static bool is_zip(const struct image_probe *probe)
{
	uint64_t name_bytes = bytes_from_le(probe->head + 26, 2);

	return probe->head[4] <= 99 && name_bytes > 0 && name_bytes <= 4096;
}

/* POSIX ustar: the sum of the header's bytes, its own field as blanks, in octal digits. */
static bool is_tar(const struct image_probe *probe)
{
	enum { HEADER_BYTES = 512, SUM = 148, SUM_BYTES = 8 };
	uint64_t sum = 0, said = 0;
	size_t at = SUM;

	for (size_t i = 0; i < HEADER_BYTES; i++)
		sum += i >= SUM && i < SUM + SUM_BYTES ? ' ' : probe->head[i];
	while (at < SUM + SUM_BYTES && probe->head[at] == ' ')
		at++;
	for (; at < SUM + SUM_BYTES && probe->head[at] >= '0' && probe->head[at] <= '7'; at++)
		said = said * 8 + (uint64_t)(probe->head[at] - '0');
	return said == sum;
}

/* DSP0243: the first file of the archive is the description of the machine. */
static bool is_ova(const struct image_probe *probe)
{
	size_t n = 0;

	while (n < 100 && probe->head[n] != '\0')
		n++;
	return n > 4 && memcmp(probe->head + n - 4, ".ovf", 4) == 0 && is_tar(probe);
}

static bool is_cab(const struct image_probe *probe)
{
	return probe->head[25] == 1; /* the major version of the format */
}

static bool is_seven_zip(const struct image_probe *probe)
{
	return probe->head[6] == 0; /* the major version of the format */
}

/* PE/COFF: the offset at 60 leads to the second signature. */
static bool is_pe(const struct image_probe *probe)
{
	uint64_t at = bytes_from_le(probe->head + 60, 4);

	return at >= 4 && at <= PROBE_HEAD_BYTES - 4 && memcmp(probe->head + at, "PE\0", 4) == 0;
}

/* 32 or 64 bits, one of two byte orders, version 1. */
static bool is_elf(const struct image_probe *probe)
{
	return probe->head[4] >= 1 && probe->head[4] <= 2 && probe->head[5] >= 1 &&
	       probe->head[5] <= 2 && probe->head[6] == 1;
}

static bool is_luks(const struct image_probe *probe)
{
	uint64_t version = bytes_from_be(probe->head + 6, 2);

	return version == 1 || version == 2;
}

static bool is_simg(const struct image_probe *probe)
{
	const uint8_t *head = probe->head;

	return bytes_from_le(head + 4, 2) == 1 && bytes_from_le(head + 8, 2) == 28 &&
	       bytes_from_le(head + 10, 2) == 12;
}

/* ---- signatures ---- */

/* Bytes with NULs among them; a signature is compared without the literal's own. */
#define BYTES(text) text, sizeof(text) - 1

static const struct signature {
	enum kind kind;
	int32_t at; /* from the beginning; negative: from the end */
	const char *bytes;
	size_t n;                                 /* 0: the second look alone decides */
	bool (*fits)(const struct image_probe *); /* the second look; NULL: the bytes are enough */
} signatures[] = {
	{ DMG_SPARSE, 0, BYTES("sprs\0\0\0\3"), NULL },
	{ DMG_ENCRYPTED, 0, BYTES("encrcdsa"), NULL },
	{ SIMG, 0, BYTES("\x3a\xff\x26\xed"), is_simg },
	{ FFU, 4, BYTES("SignedImage "), NULL },
	{ LUKS, 0, BYTES("LUKS\xba\xbe"), is_luks },
	{ GZIP, 0, BYTES("\x1f\x8b\x08"), is_gzip },
	{ XZ, 0,
	  BYTES("\xfd"
		"7zXZ\0"),
	  NULL },
	{ ZSTD, 0, BYTES("\x28\xb5\x2f\xfd"), is_zstd },
	{ ZSTD, 1, BYTES("\x2a\x4d\x18"), is_skipped_zstd },
	{ BZIP2, 0, BYTES("BZh"), is_bzip2 },
	{ LZ4, 0, BYTES("\x04\x22\x4d\x18"), is_lz4 },
	{ LZIP, 0, BYTES("LZIP\1"), NULL },
	{ LZOP, 0, BYTES("\x89LZO\0\r\n\x1a\n"), NULL },
	{ ZIP, 0, BYTES("PK\3\4"), is_zip },
	{ SEVEN_ZIP, 0, BYTES("7z\xbc\xaf\x27\x1c"), is_seven_zip },
	{ OVA, 257, BYTES("ustar"), is_ova },
	{ TAR, 257, BYTES("ustar"), is_tar },
	{ RAR, 0, BYTES("Rar!\x1a\7"), NULL },
	{ CAB, 0, BYTES("MSCF\0\0\0\0"), is_cab },
	{ WIM, 0, BYTES("MSWIM\0\0\0"), NULL },
	{ WIM, 0, BYTES("WLPWM\0\0\0"), NULL },
	{ EWF, 0, BYTES("EVF\x09\r\n\xff\0"), NULL },
	{ EWF, 0, BYTES("LVF\x09\r\n\xff\0"), NULL },
	{ EWF, 0, BYTES("EVF2\r\n\x81\0"), NULL },
	{ AFF, 0, BYTES("AFF10\r\n\0"), NULL },
	{ PARTCLONE, 0, BYTES("partclone-image"), NULL },
	{ PARTIMAGE, 0, BYTES("PaRtImAgE-VoLuMe"), NULL },
	{ NTFSCLONE, 0, BYTES("\0ntfsclone-image"), NULL },
	{ PE, 0, BYTES("MZ"), is_pe },
	{ ELF, 0,
	  BYTES("\x7f"
		"ELF"),
	  is_elf },
	{ DMG_ENCRYPTED, -8, BYTES("cdsaencr"), NULL },
};

static bool matches(const struct signature *signature, const struct image_probe *probe)
{
	const uint8_t *bytes = signature->at >= 0
				       ? probe->head + signature->at
				       : probe->tail + (PROBE_TAIL_BYTES + signature->at);

	return memcmp(bytes, signature->bytes, signature->n) == 0 &&
	       (signature->fits == NULL || signature->fits(probe));
}

const struct foreign *foreign_recognise(const struct image_probe *probe)
{
	for (size_t i = 0; !probe->device && i < sizeof signatures / sizeof *signatures; i++)
		if (matches(&signatures[i], probe))
			return &kinds[signatures[i].kind];
	return NULL;
}

void foreign_print(const struct foreign *foreign, struct out *out)
{
	out_printf(out, "this is %s, which efi-img does not read: ", foreign->words);
	if (foreign->advice != NULL)
		out_printf(out, "%s, or ", foreign->advice);
	out_text(out, "give -f raw to take its bytes as they are (-F raw for a second image or a "
		      "backing file)");
}
