/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/status.h"
#include "platform/machine.h"

/*
 * The firmware's tables and the protocols of this program, for all of drivers/uefi/. The headers
 * here name EFI types without including <efi.h>: each .c file here and in efi/ includes <efi.h>
 * first.
 */
struct firmware {
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *services;
	EFI_HANDLE image; /* efi-img itself */
	/* how efi-img was loaded: from which device, with which options; may be NULL */
	EFI_LOADED_IMAGE_PROTOCOL *loaded;
	EFI_SHELL_PROTOCOL *shell;                 /* NULL without a shell */
	EFI_SHELL_PARAMETERS_PROTOCOL *parameters; /* NULL unless a shell started efi-img */
	enum secure_boot secure_boot;
};

/* Set by firmware_start(), and constant from then on. */
extern struct firmware firmware;

/*
 * Initialises `firmware` and the console. Comes first in the program. Disables the watchdog of the
 * boot manager, which would reset the machine after five minutes.
 */
void firmware_start(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/* Reads the state of Secure Boot, for firmware_start(). */
enum secure_boot secure_boot_read(void);

/* Return the interface of a protocol on a handle, or the first one in the system. NULL: none. */
void *firmware_protocol(EFI_HANDLE, EFI_GUID *);
void *firmware_locate(EFI_GUID *);

/* The same, typed: by the protocol's name in the specification, whose GUID is named after it. */
#define PROTOCOL(handle, type) ((type *)firmware_protocol((handle), &(EFI_GUID)type##_GUID))
#define LOCATE(type)           ((type *)firmware_locate(&(EFI_GUID)type##_GUID))

/*
 * Returns all handles that have the protocol (NULL: all handles); there may be none. The caller
 * frees *ret with firmware_free(). Statuses: ST_NO_MEMORY, ST_IO.
 */
[[nodiscard]] enum status firmware_handles(EFI_GUID *, EFI_HANDLE **ret, size_t *ret_n);

/*
 * Between them no device goes: drivers notice that in timers of TPL_CALLBACK (UEFI 2.10, 7.1), and
 * free what they had of it. So what is looked up after firmware_hold() is valid until
 * firmware_release(), which takes what that has returned. Not around I/O: there are drivers that
 * wait for a timer.
 */
UINTN firmware_hold(void);
void firmware_release(UINTN level);

/* Ends the program after an internal error, which has been printed. For the boot processor. */
_Noreturn void firmware_abort(void);

/* Frees memory that the firmware has allocated from its pool for this program. NULL is allowed. */
void firmware_free(void *);
