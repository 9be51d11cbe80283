/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures, in one boot and alternating, what the firmware's file system driver needs for the bare
 * writes, and what efi-img needs for the same result: a UEFI application for the shell. Prints one
 * line per run: the name of what was measured, and ticks.
 *
 * Usage: bench.efi  (on the volume to be measured, beside efi-img.efi)
 */
#include <efi.h>

#include "base/memory.h"
#include "base/out.h"
#include "cli/command.h"
#include "cli/dispatch.h"
#include "console.h"
#include "firmware.h"
#include "hardware.h"

enum { RUNS = 5, SHORT_RUNS = 5, RAW_MIB = 256, MIB = 1 << 20, CLUSTER = 65536 };

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static struct out *console;

static void must(EFI_STATUS efi, const char *what)
{
	if (efi == EFI_SUCCESS)
		return;
	out_printf(console, "bench failed: %s: status %jx\n", what, (uintmax_t)efi);
	firmware.services->Exit(firmware.image, efi, 0, NULL);
}

static EFI_FILE_PROTOCOL *open_root(void)
{
	EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *volume = PROTOCOL(firmware.loaded->DeviceHandle,
							   EFI_SIMPLE_FILE_SYSTEM_PROTOCOL);
	EFI_FILE_PROTOCOL *root;

	must(volume->OpenVolume(volume, &root), "opening the volume");
	return root;
}

static EFI_FILE_PROTOCOL *create(EFI_FILE_PROTOCOL *root, CHAR16 *name)
{
	EFI_FILE_PROTOCOL *file;

	must(root->Open(root, &file, name,
			EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE | EFI_FILE_MODE_CREATE, 0),
	     "creating a file");
	return file;
}

static void put(EFI_FILE_PROTOCOL *file, void *buf, UINTN n)
{
	UINTN asked = n;

	must(file->Write(file, &n, buf), "writing");
	must(n == asked ? EFI_SUCCESS : EFI_VOLUME_FULL, "writing all of it");
}

/* The file's bytes with the fewest calls: what a raw image of zeros costs at least. */
static void write_raw(EFI_FILE_PROTOCOL *file, void *zeros)
{
	for (int i = 0; i < RAW_MIB; i++)
		put(file, zeros, MIB);
}

/* As many writes, of the same lengths, as `create -f qcow2` of 50G does. */
static void write_qcow2(EFI_FILE_PROTOCOL *file, void *zeros)
{
	put(file, zeros, CLUSTER);
	put(file, zeros, 2 * CLUSTER + 800);
	must(file->Flush(file), "flushing");
	must(file->SetPosition(file, 0), "seeking");
	put(file, zeros, 512);
}

static void delete (CHAR16 *name)
{
	EFI_FILE_PROTOCOL *root = open_root(), *file = create(root, name);

	must(file->Delete(file), "deleting");
	must(root->Close(root), "closing the volume");
}

static uint64_t measure_bare(void (*write)(EFI_FILE_PROTOCOL *, void *), void *zeros)
{
	EFI_FILE_PROTOCOL *root = open_root(), *file;
	uint64_t start = hardware_ticks(), end;

	file = create(root, (CHAR16 *)L"bare");
	write(file, zeros);
	must(file->Flush(file), "flushing");
	must(file->Close(file), "closing");
	end = hardware_ticks();
	must(root->Close(root), "closing the volume");
	delete ((CHAR16 *)L"bare");
	return end - start;
}

/* A command, in this very program, which is efi-img but for its entry point. */
static uint64_t measure_command(const char *format, const char *size)
{
	char *words[] = { (char *)"create",          (char *)"-q", (char *)"-f",
			  (char *)(uintptr_t)format, (char *)"a",  (char *)(uintptr_t)size };
	struct console both = { .out = console, .err = console_err() };
	uint64_t start = hardware_ticks(), end;

	must(cli_run(&both, 6, words) == EXIT_OK ? EFI_SUCCESS : EFI_ABORTED, "create");
	end = hardware_ticks();
	delete ((CHAR16 *)L"a");
	return end - start;
}

/*
 * What comes before any command that is typed at the shell: finding, loading and starting the
 * program.
 */
static uint64_t measure_start(void)
{
	EFI_STATUS status = EFI_SUCCESS;
	uint64_t start = hardware_ticks();

	must(firmware.shell->Execute(&firmware.image, (CHAR16 *)L"efi-img.efi version", NULL,
				     &status),
	     "starting efi-img");
	must(status, "efi-img");
	return hardware_ticks() - start;
}

static void print(const char *what, uint64_t ticks)
{
	out_printf(console, "%s %ju\n", what, ticks);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	void *zeros;

	firmware_start(image, system);
	console = console_out();
	zeros = io_alloc(MIB);
	must(zeros != NULL ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES, "memory");
	memset(zeros, 0, MIB);
	for (int i = 0; i < RUNS; i++) {
		print("start", measure_start());
		/* they are over so soon that chance has more of a part in them */
		for (int j = 0; j < SHORT_RUNS; j++) {
			print("qcow2-bare", measure_bare(write_qcow2, zeros));
			print("qcow2", measure_command("qcow2", "50G"));
		}
		print("raw-bare", measure_bare(write_raw, zeros));
		print("raw", measure_command("raw", "256M"));
	}
	out_text(console, "bench done\n");
	io_free(zeros, MIB);
	return EFI_SUCCESS;
}
