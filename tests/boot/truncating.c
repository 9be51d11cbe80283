/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver for the shell's `load`: FAT volumes that do something else than they are told.
 *
 * \is-truncates on a volume: as in U-Boot, a write in the middle of a file cuts it off after what
 * was written. \is-hides: a file of 64 KiB and more is cut to 512 bytes when it is closed, if it
 * was written to; so nobody who tries it with a small file, or still has the file open, sees it.
 * \is-keeps: no file gets shorter, and the call that is to do it succeeds.
 * SPDX-License-Identifier: BSD-2-Clause
 */
#include <efi.h>

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

enum kind { HONEST, TRUNCATES, HIDES, KEEPS };

enum { VOLUMES_MAX = 8, FILES_MAX = 64, HIDDEN_FROM = 64 << 10, LEFT_BYTES = 512 };

static EFI_BOOT_SERVICES *services;

static struct volume {
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs;
	enum kind kind;
} volume[VOLUMES_MAX];

/* Open files of these volumes. */
static struct file {
	EFI_FILE_PROTOCOL *file;
	enum kind kind;
	BOOLEAN written;
} open_file[FILES_MAX];

static UINTN n_volumes;

/* The functions of the FAT driver, the same for all its volumes. */
static typeof(((EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *)NULL)->OpenVolume) fat_open_volume;
static EFI_FILE_PROTOCOL fat;

static struct file *find(EFI_FILE_PROTOCOL *file)
{
	for (UINTN i = 0; i < FILES_MAX; i++)
		if (open_file[i].file == file)
			return &open_file[i];
	return NULL;
}

static UINT64 size_of(EFI_FILE_PROTOCOL *file, UINT64 position)
{
	UINT64 end = 0;

	(void)fat.SetPosition(file, ~(UINT64)0);
	(void)fat.GetPosition(file, &end);
	(void)fat.SetPosition(file, position);
	return end;
}

static void cut(EFI_FILE_PROTOCOL *file, UINT64 size)
{
	static union {
		EFI_FILE_INFO info;
		UINT8 bytes[1024];
	} buffer;
	EFI_GUID guid = EFI_FILE_INFO_ID;
	UINTN n = sizeof buffer;

	if (fat.GetInfo(file, &guid, &n, &buffer) != EFI_SUCCESS)
		return;
	buffer.info.FileSize = size;
	(void)fat.SetInfo(file, &guid, n, &buffer);
}

static EFI_STATUS EFIAPI write(EFI_FILE_PROTOCOL *file, UINTN *n, VOID *bytes)
{
	struct file *known = find(file);
	UINT64 position = 0;
	EFI_STATUS efi = fat.Write(file, n, bytes);

	if (known == NULL || efi != EFI_SUCCESS)
		return efi;
	known->written = TRUE;
	(void)fat.GetPosition(file, &position);
	if (known->kind == TRUNCATES && position < size_of(file, position)) {
		cut(file, position);
		(void)fat.SetPosition(file, position);
	}
	return efi;
}

static EFI_STATUS EFIAPI close(EFI_FILE_PROTOCOL *file)
{
	struct file *known = find(file);

	if (known != NULL && known->kind == HIDES && known->written &&
	    size_of(file, 0) >= HIDDEN_FROM)
		cut(file, LEFT_BYTES);
	if (known != NULL)
		known->file = NULL;
	return fat.Close(file);
}

static EFI_STATUS EFIAPI delete (EFI_FILE_PROTOCOL *file)
{
	struct file *known = find(file);

	if (known != NULL)
		known->file = NULL;
	return fat.Delete(file);
}

static EFI_STATUS EFIAPI set_info(EFI_FILE_PROTOCOL *file, EFI_GUID *type, UINTN n, VOID *info)
{
	(void)file;
	(void)type;
	(void)n;
	(void)info;
	return EFI_SUCCESS;
}

static void take(EFI_FILE_PROTOCOL *file, enum kind kind);

static EFI_STATUS EFIAPI open(EFI_FILE_PROTOCOL *directory, EFI_FILE_PROTOCOL **ret, CHAR16 *name,
			      UINT64 mode, UINT64 attributes)
{
	struct file *known = find(directory);
	EFI_STATUS efi = fat.Open(directory, ret, name, mode, attributes);

	if (known != NULL && efi == EFI_SUCCESS)
		take(*ret, known->kind);
	return efi;
}

static void take(EFI_FILE_PROTOCOL *file, enum kind kind)
{
	struct file *place = find(NULL);

	if (place == NULL)
		return;
	*place = (struct file){ file, kind, FALSE };
	file->Open = open;
	file->Write = write;
	file->Close = close;
	file->Delete = delete;
	if (kind == KEEPS)
		file->SetInfo = set_info;
}

static EFI_STATUS EFIAPI open_volume(EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs, EFI_FILE_PROTOCOL **ret)
{
	EFI_STATUS efi = fat_open_volume(fs, ret);

	for (UINTN i = 0; efi == EFI_SUCCESS && i < n_volumes; i++)
		if (volume[i].fs == fs)
			take(*ret, volume[i].kind);
	return efi;
}

static BOOLEAN has(EFI_FILE_PROTOCOL *root, CHAR16 *name)
{
	EFI_FILE_PROTOCOL *file;

	if (root->Open(root, &file, name, EFI_FILE_MODE_READ, 0) != EFI_SUCCESS)
		return FALSE;
	(void)file->Close(file);
	return TRUE;
}

static void look(EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs)
{
	static CHAR16 *const names[] = { NULL, L"\\is-truncates", L"\\is-hides", L"\\is-keeps" };
	EFI_FILE_PROTOCOL *root;
	enum kind kind = HONEST;

	if (fs->OpenVolume(fs, &root) != EFI_SUCCESS)
		return;
	for (enum kind i = TRUNCATES; i <= KEEPS; i++)
		if (has(root, names[i]))
			kind = i;
	if (n_volumes < VOLUMES_MAX && kind != HONEST) {
		fat_open_volume = fs->OpenVolume;
		fat = *root;
		volume[n_volumes++] = (struct volume){ fs, kind };
		fs->OpenVolume = open_volume;
	}
	(void)root->Close(root);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_GUID guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
	EFI_HANDLE *handle;
	UINTN n;
	EFI_STATUS efi;

	(void)image;
	services = system->BootServices;
	efi = services->LocateHandleBuffer(ByProtocol, &guid, NULL, &n, &handle);
	for (UINTN i = 0; efi == EFI_SUCCESS && i < n; i++) {
		EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *fs;

		efi = services->HandleProtocol(handle[i], &guid, (VOID **)&fs);
		if (efi == EFI_SUCCESS)
			look(fs);
	}
	return efi;
}
