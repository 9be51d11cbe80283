/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the command line, in one of the two places where UEFI may have it.
 *
 * Under the shell it is in EFI_SHELL_PARAMETERS_PROTOCOL, already split into words (UEFI Shell 2.2,
 * 2.3). Otherwise it may be in the load options of the boot entry (UEFI 2.10, 3.1.3). These are
 * bytes of any kind: they count as a command line only if they are text and begin with a command of
 * efi-img or an option.
 */
#include <efi.h>

#include "arguments.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/command.h"
#include "firmware.h"
#include "text16.h"

enum { LOAD_OPTIONS_MAX = 16 << 10 }; /* a command line is shorter */

/* ---- From the shell ---- */

/* The first word is the name of the program. */
static enum status words_of_shell(const EFI_SHELL_PARAMETERS_PROTOCOL *parameters,
				  struct words *ret, struct error *err)
{
	size_t n = parameters->Argc > 0 ? parameters->Argc - 1 : 0;

	*ret = (struct words){ .word = mem_alloc((n + 1) * sizeof *ret->word) };
	if (ret->word == NULL)
		return fail_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		ret->word[i] = text16_to_utf8(parameters->Argv[i + 1]);
		if (ret->word[i] == NULL)
			return fail_no_memory(err);
		ret->n++;
	}
	return ST_OK;
}

/* ---- From load options ---- */

static bool is_text(uint16_t unit)
{
	bool surrogate = unit >= 0xd800 && unit <= 0xdfff;

	return unit == '\t' || (unit >= ' ' && unit < 0x7f) ||
	       (unit >= 0xa0 && unit < 0xfffe && !surrogate);
}

/*
 * Returns load options as UTF-8 if they are UTF-16 text; boot managers also store GUIDs, ASCII and
 * remains of other programs there. NULL: not text, or no memory.
 */
static char *text_of_load_options(const uint8_t *bytes, size_t size)
{
	size_t n = size / 2;
	uint16_t *units;
	char *text = NULL;

	if (bytes == NULL || size % 2 != 0 || size > LOAD_OPTIONS_MAX)
		return NULL;
	/* read bytewise: in Boot#### they follow a device path of any length, at an odd address */
	units = mem_alloc((n + 1) * sizeof *units);
	if (units == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		units[i] = (uint16_t)bytes_from_le(bytes + 2 * i, 2);
	while (n > 0 && units[n - 1] == 0)
		n--;
	for (size_t i = 0; i < n; i++)
		if (!is_text(units[i]))
			goto done;
	if (n > 0)
		text = text16_to_utf8_n(units, n);
done:
	mem_free(units);
	return text;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = text_length(s), n_end = text_length(end);

	return n >= n_end && text_equal_nocase(s + n - n_end, end);
}

/* Removes the name of the program, which only some boot managers put before the arguments. */
static void drop_own_name(struct words *words)
{
	if (words->n == 0 ||
	    (!ends_in(words->word[0], "efi-img") && !ends_in(words->word[0], "efi-img.efi")))
		return;
	mem_free(words->word[0]);
	words->n--;
	for (size_t i = 0; i < words->n; i++)
		words->word[i] = words->word[i + 1];
}

/*
 * Returns the words of load options, none if these are not meant for efi-img: U-Boot hands the
 * kernel's command line to every program. So the first word must be a command or an option.
 */
static enum status words_of_load_options(const EFI_LOADED_IMAGE_PROTOCOL *loaded, struct words *ret,
					 struct error *err)
{
	char *text = text_of_load_options(loaded->LoadOptions, loaded->LoadOptionsSize);
	enum status st;

	*ret = (struct words){ 0 };
	if (text == NULL)
		return ST_OK;
	st = words_split(text, ret, err);
	mem_free(text);
	if (st == ST_INVALID)
		return ST_OK; /* a quotation mark is not closed: another program's options */
	if (st != ST_OK)
		return st;
	drop_own_name(ret);
	if (ret->n > 0 && command_find(ret->word[0]) == NULL && ret->word[0][0] != '-')
		words_free(ret);
	return ST_OK;
}

enum status arguments_find(enum way *ret_way, struct words *ret, struct error *err)
{
	enum status st = ST_OK;

	*ret = (struct words){ 0 };
	*ret_way = FROM_SHELL;
	if (firmware.parameters != NULL)
		return words_of_shell(firmware.parameters, ret, err);
	if (firmware.loaded != NULL)
		st = words_of_load_options(firmware.loaded, ret, err);
	*ret_way = ret->n > 0 ? FROM_BOOT_MANAGER : FROM_NOWHERE;
	return st;
}
