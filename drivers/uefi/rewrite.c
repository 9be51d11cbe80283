/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Finds out whether a volume's files can be written before their end.
 *
 * U-Boot's FAT driver truncates a file after each write: 512 bytes written at the start of a file
 * of 50 GiB leave a file of 512 bytes, and every call reports success. efi-img seeks back in each
 * file that it writes, since the first sector of a new image is written last. So before the first
 * byte is written to a volume, a temporary file is: 1024 bytes, then 512 at its start. If it has
 * not 1024 bytes when it is opened anew, the volume truncates. The vendor of the firmware is not
 * asked: file system drivers come from elsewhere, too.
 *
 * The temporary file is no member of the access set, whose names are the user's. Its place is: it
 * is created only in the directory of a file that is (platform_check_rewrite()), so that the set
 * has compared its volume with every disk in use. It cannot replace a file, because its name is one
 * that no file has, and it is removed through the handle that has created it.
 */
#include <efi.h>

#include "rewrite.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "disk.h"
#include "file.h"
#include "firmware.h"
#include "status.h"
#include "text16.h"

enum { VOLUMES_MAX = 32, NAMES_MAX = 100, FIRST_BYTES = 1024, AGAIN_BYTES = 512 };

/* The volumes tried so far. Static: the result holds until the program ends. */
static struct probed {
	EFI_HANDLE volume;
	bool truncates;
} probed[VOLUMES_MAX];

static size_t n_probed;

static const struct probed *find(EFI_HANDLE volume)
{
	for (size_t i = 0; i < n_probed; i++)
		if (probed[i].volume == volume)
			return &probed[i];
	return NULL;
}

static enum status open_named(EFI_FILE_PROTOCOL *root, const char *name, uint64_t mode,
			      EFI_FILE_PROTOCOL **ret)
{
	CHAR16 *name16 = text16_from_utf8(name);
	enum status st = ST_NO_MEMORY;

	if (name16 != NULL)
		st = status_from_efi(root->Open(root, ret, name16, mode, 0));
	mem_free(name16);
	return st;
}

/* Creates a file under a name that no file has. */
static enum status create(EFI_FILE_PROTOCOL *root, const char *directory, char *name,
			  EFI_FILE_PROTOCOL **ret)
{
	const uint64_t writing = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
	EFI_FILE_PROTOCOL *taken;
	enum status st = ST_OK;

	if (text_length(directory) >= REWRITE_NAME_BYTES - sizeof "EFIIMG00.TMP")
		directory = "\\";
	for (unsigned i = 0; st == ST_OK && i < NAMES_MAX; i++) {
		struct out_buffer out;

		out_buffer_init(&out, name, REWRITE_NAME_BYTES);
		out_printf(&out.out, "%sEFIIMG%02u.TMP", directory, i);
		st = open_named(root, name, EFI_FILE_MODE_READ, &taken);
		if (st == ST_NOT_FOUND)
			return open_named(root, name, writing | EFI_FILE_MODE_CREATE, ret);
		if (st == ST_OK)
			(void)taken->Close(taken); /* always succeeds; nothing was written */
	}
	return st == ST_OK ? ST_EXISTS : st;
}

static enum status write_at(EFI_FILE_PROTOCOL *file, uint64_t offset, UINTN n)
{
	uint8_t bytes[FIRST_BYTES] = { 0 };
	UINTN written = n;
	enum status st = status_from_efi(file->SetPosition(file, offset));

	if (st == ST_OK)
		st = status_from_efi(file->Write(file, &written, bytes));
	return st == ST_OK && written != n ? ST_NO_SPACE : st;
}

/* The size of a file when it is opened anew. */
static enum status size_of(EFI_FILE_PROTOCOL *root, const char *name, uint64_t *ret)
{
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	enum status st = open_named(root, name, EFI_FILE_MODE_READ, &file);

	if (st != ST_OK)
		return st;
	st = file_info(file, &info);
	(void)file->Close(file); /* always succeeds; nothing was written */
	if (st != ST_OK)
		return st;
	*ret = info->FileSize;
	mem_free(info);
	return ST_OK;
}

enum status rewrite_probe(EFI_HANDLE volume, EFI_FILE_PROTOCOL *root, const char *directory,
			  char ret_name[static REWRITE_NAME_BYTES])
{
	const struct probed *known = find(volume);
	EFI_FILE_PROTOCOL *file;
	uint64_t size = 0;
	enum status st, removed;

	ret_name[0] = '\0';
	if (known != NULL)
		return known->truncates ? ST_UNSUPPORTED : ST_OK;
	disk_count_write(volume);
	st = create(root, directory, ret_name, &file);
	if (st != ST_OK) {
		ret_name[0] = '\0';
		return st;
	}
	st = write_at(file, 0, FIRST_BYTES);
	if (st == ST_OK)
		st = write_at(file, 0, AGAIN_BYTES);
	if (st == ST_OK)
		st = status_from_efi(file->Flush(file));
	if (st == ST_OK)
		st = size_of(root, ret_name, &size);
	/* closes the file in any case, and reports failure as a warning (UEFI 2.10, 13.5) */
	removed = status_from_efi(file->Delete(file));
	if (removed != ST_OK)
		return st != ST_OK ? st : removed;
	ret_name[0] = '\0';
	if (st == ST_OK && n_probed < VOLUMES_MAX)
		probed[n_probed++] = (struct probed){ volume, size != FIRST_BYTES };
	return st == ST_OK && size != FIRST_BYTES ? ST_UNSUPPORTED : st;
}

bool rewrite_truncates(EFI_HANDLE volume)
{
	const struct probed *known = find(volume);

	return known != NULL && known->truncates;
}
