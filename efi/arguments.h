/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "base/words.h"

/* How efi-img was started. */
enum way {
	FROM_SHELL,        /* by a command line */
	FROM_BOOT_MANAGER, /* by a boot entry whose load options are a command line */
	FROM_NOWHERE,      /* without a command line, as the boot program of a stick for example */
};

/*
 * Finds how efi-img was started, and the words after its name. The caller frees *ret with
 * words_free(), on failure as well. Statuses: ST_NO_MEMORY.
 */
enum status arguments_find(enum way *ret_way, struct words *ret, struct error *);
