/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts handed to a virtual machine (virtual_machine.h).
 *
 * fw_cfg is a device of QEMU: an item is selected by its key, then read byte by byte. Item 19h is a
 * directory of files with their keys. SMBIOS strings reach the guest under every hypervisor.
 *
 * A script can erase disks, so it is read only where those who wrote it control the machine anyway:
 * not on real hardware, where both sources may be written by others. The caller decides whether it
 * is run.
 */
#include <efi.h>

#include "virtual_machine.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/out_memory.h"
#include "base/text.h"
#include "hardware.h"
#include "platform/smbios.h"
#include "smbios_table.h"

enum {
	KEY_SIGNATURE = 0x0000, /* reads "QEMU" where there is the device */
	KEY_FILES = 0x0019,     /* the number of files, then a struct fw_cfg_file each */
	FILES_MAX = 1024
};

struct fw_cfg_file {
	uint8_t size[4], key[2], reserved[2];
	char name[56];
};
_Static_assert(sizeof(struct fw_cfg_file) == 64, "");

static const char file_name[] = "opt/org.efi-img/job", string_prefix[] = "efi-img.job=";

/* ---- fw_cfg ---- */

static enum status from_fw_cfg(size_t most, char **ret, size_t *ret_n)
{
	struct fw_cfg_file file;
	uint8_t number[4];
	uint64_t n_files;

	hardware_fw_cfg_select(KEY_SIGNATURE);
	hardware_fw_cfg_read(number, sizeof number);
	if (memcmp(number, "QEMU", sizeof number) != 0)
		return ST_NOT_FOUND;
	hardware_fw_cfg_select(KEY_FILES);
	hardware_fw_cfg_read(number, sizeof number);
	n_files = bytes_from_be(number, sizeof number);
	for (uint64_t i = 0; i < n_files && i < FILES_MAX; i++) {
		hardware_fw_cfg_read(&file, sizeof file);
		file.name[sizeof file.name - 1] = '\0';
		if (!text_equal(file.name, file_name))
			continue;
		*ret_n = (size_t)bytes_from_be(file.size, sizeof file.size);
		if (*ret_n > most)
			return ST_TOO_LARGE;
		*ret = mem_alloc(*ret_n);
		if (*ret == NULL)
			return ST_NO_MEMORY;
		hardware_fw_cfg_select((uint16_t)bytes_from_be(file.key, sizeof file.key));
		hardware_fw_cfg_read(*ret, *ret_n);
		return ST_OK;
	}
	return ST_NOT_FOUND;
}

/* ---- SMBIOS ---- */

static enum status from_smbios(size_t most, char **ret, size_t *ret_n)
{
	struct out_memory text;
	size_t n;
	const uint8_t *table = smbios_table(&n);

	out_memory_init(&text, most);
	if (table == NULL || !smbios_strings(table, n, string_prefix, &text.out))
		return ST_NOT_FOUND;
	if (text.out.failed) {
		out_memory_free(&text);
		return ST_TOO_LARGE;
	}
	*ret = text.text;
	*ret_n = text.n;
	return ST_OK;
}

/* By the processor or, where that does not tell, by SMBIOS. */
static bool is_virtual(void)
{
	enum hypervisor hypervisor = hardware_hypervisor();
	const uint8_t *table;
	size_t n;

	if (hypervisor != HYPERVISOR_UNKNOWN)
		return hypervisor == HYPERVISOR_PRESENT;
	table = smbios_table(&n);
	return table != NULL && smbios_is_virtual(table, n);
}

enum status virtual_machine_job(size_t most, const char **ret_from, char **ret, size_t *ret_n)
{
	enum status st;

	if (!is_virtual())
		return ST_NOT_FOUND;
	*ret_from = file_name;
	st = from_fw_cfg(most, ret, ret_n);
	if (st != ST_NOT_FOUND)
		return st;
	*ret_from = "SMBIOS type 11";
	return from_smbios(most, ret, ret_n);
}
