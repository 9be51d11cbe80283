/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "base/words.h"

/* How efi-img was started, and with which words after its own name. */
enum way {
	FROM_SHELL,        /* a command line */
	FROM_BOOT_MANAGER, /* the load options of a boot entry are a command line */
	FROM_NOWHERE, /* no command line: started as the default program in \EFI\BOOT, or by hand */
};

/*
 * `ret` is freed with words_free(). Errors: ST_INVALID (the load options have a quotation mark that
 * is not closed), ST_NO_MEMORY.
 */
enum status arguments_find(enum way *ret_way, struct words *ret, struct error *);
