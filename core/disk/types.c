/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of common partition types. They have at most 20 characters, the width of a column of
 * `list`.
 */

#include "base/text.h"
#include "disk/table.h"

const char *mbr_type_name(uint8_t type)
{
	static const char *const names[256] = {
		[0x01] = "FAT12",
		[0x04] = "FAT16 (small)",
		[0x05] = "extended",
		[0x06] = "FAT16",
		[0x07] = "NTFS or exFAT",
		[0x0b] = "FAT32",
		[0x0c] = "FAT32 (LBA)",
		[0x0e] = "FAT16 (LBA)",
		[0x0f] = "extended (LBA)",
		[0x11] = "hidden FAT12",
		[0x12] = "vendor diagnostics",
		[0x14] = "hidden FAT16 (small)",
		[0x16] = "hidden FAT16",
		[0x17] = "hidden NTFS",
		[0x1b] = "hidden FAT32",
		[0x1c] = "hidden FAT32 (LBA)",
		[0x1e] = "hidden FAT16 (LBA)",
		[0x27] = "Windows recovery",
		[0x41] = "PowerPC PReP boot",
		[0x42] = "Windows dynamic disk",
		[0x81] = "Minix",
		[0x82] = "Linux swap",
		[0x83] = "Linux",
		[0x85] = "Linux extended",
		[0x8e] = "Linux LVM",
		[0xa5] = "FreeBSD",
		[0xa6] = "OpenBSD",
		[0xa9] = "NetBSD",
		[0xaf] = "Apple HFS+",
		[0xbf] = "Solaris",
		[0xda] = "raw data",
		[0xde] = "Dell utility",
		[0xea] = "Linux boot",
		[0xee] = "GPT protective",
		[0xef] = "EFI system",
		[0xfb] = "VMware VMFS",
		[0xfc] = "VMware swap",
		[0xfd] = "Linux RAID",
	};

	return names[type] != NULL ? names[type] : "";
}

const char *gpt_type_name(const struct guid *type)
{
	static const struct {
		const char *guid, *name;
	} types[] = {
		{ "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system" },
		{ "21686148-6449-6e6f-744e-656564454649", "BIOS boot" },
		{ "e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved" },
		{ "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data" },
		{ "de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery" },
		{ "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "Windows LDM metadata" },
		{ "af9b60a0-1431-4f62-bc68-3311714a69ad", "Windows LDM data" },
		{ "e75caf8f-f680-4cee-afa3-b001e56efc2d", "Windows storage pool" },
		{ "0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux file system" },
		{ "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap" },
		{ "e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM" },
		{ "a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID" },
		{ "ca7d7ccb-63ed-4c53-861c-1742536059cc", "Linux encrypted" },
		{ "bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot" },
		{ "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)" },
		{ "b921b045-1df0-41c3-af44-4c6f280d3fae", "Linux root (ARM64)" },
		{ "933ac7e1-2eb4-4f13-b844-0e14e2aef915", "Linux home" },
		{ "8da63339-0007-60c0-c436-083ac8230908", "Linux reserved" },
		{ "48465300-0000-11aa-aa11-00306543ecac", "Apple HFS+" },
		{ "7c3457ef-0000-11aa-aa11-00306543ecac", "Apple APFS" },
		{ "426f6f74-0000-11aa-aa11-00306543ecac", "Apple boot" },
		{ "6a898cc3-1dd2-11b2-99a6-080020736631", "ZFS" },
		{ "83bd6b9d-7f41-11dc-be0b-001560b84f0f", "FreeBSD boot" },
		{ "516e7cb5-6ecf-11d6-8ff8-00022d09712b", "FreeBSD swap" },
		{ "516e7cb6-6ecf-11d6-8ff8-00022d09712b", "FreeBSD UFS" },
		{ "516e7cba-6ecf-11d6-8ff8-00022d09712b", "FreeBSD ZFS" },
		{ "fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel" },
		{ "3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root" },
		{ "2e0a753d-9e48-43b0-8337-b15192cb1b5e", "ChromeOS reserved" },
		{ "aa31e02a-400f-11db-9590-000c2911d1b8", "VMware VMFS" },
	};
	char text[GUID_TEXT];

	guid_print(type, text);
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (text_equal(text, types[i].guid))
			return types[i].name;
	return "";
}

bool part_is_in_pieces(const struct part *part)
{
	static const char *const names[] = {
		"Windows dynamic disk",
		"Windows LDM data",
		"Windows storage pool",
		"Linux RAID",
		"VMware VMFS",
		"FreeBSD ZFS",
		"ZFS",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (text_equal(part->type_name, names[i]))
			return true;
	return false;
}
