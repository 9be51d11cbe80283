/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/status.h"

/*
 * What the adapters share. The headers in drivers/ name EFI types without including <efi.h>: each
 * .c file here and in efi/ includes that first, and nothing else in the project does.
 */
struct firmware {
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *services;
	EFI_HANDLE image; /* efi-img itself */
	/* where it came from; NULL if the firmware does not say */
	EFI_LOADED_IMAGE_PROTOCOL *loaded;
	EFI_SHELL_PROTOCOL *shell;                 /* NULL without a shell */
	EFI_SHELL_PARAMETERS_PROTOCOL *parameters; /* NULL unless a shell started efi-img */
};

/* Filled by firmware_start() and fixed from then on. */
extern struct firmware firmware;

/*
 * The first thing that the program does. Switches the boot manager's watchdog off: a long job would
 * be cut off after five minutes.
 */
void firmware_start(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/* A protocol's interface on a handle, or the first one in the system. NULL: there is none. */
void *firmware_protocol(EFI_HANDLE, EFI_GUID *);
void *firmware_locate(EFI_GUID *);

/* The same with the type, and so the GUID, by the protocol's name in the specification. */
#define PROTOCOL(handle, type) ((type *)firmware_protocol((handle), &(EFI_GUID)type##_GUID))
#define LOCATE(type)           ((type *)firmware_locate(&(EFI_GUID)type##_GUID))

/*
 * All handles that have the protocol (NULL: all handles). None at all is ST_OK and n = 0. `*ret` is
 * freed with firmware_free(). Errors: ST_NO_MEMORY, ST_IO.
 */
[[nodiscard]] enum status firmware_handles(EFI_GUID *, EFI_HANDLE **ret, size_t *ret_n);

/* Frees what the firmware allocated for us from its pool. NULL is allowed. */
void firmware_free(void *);
