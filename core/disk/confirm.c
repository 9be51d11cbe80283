/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The word that confirms an overwrite. It must be unique in the machine, so that a word read from
 * the wrong line is not accepted.
 *
 * The best word is the last four characters of the serial number, which are printed on the disk. It
 * is used if these are letters and digits, the serial number is no placeholder (serial.c), and no
 * other disk has a serial number with the same end. Other disks get "DISK" and their number in the
 * list. For a partition, "P" and its number follow.
 *
 * Uniqueness: words of the first kind differ in their four characters, those of the second in the
 * number. Between the kinds, a disk's word has four characters in the first kind and at least five
 * in the second; the fifth character of a partition's word is "P" in the first kind and a digit in
 * the second.
 */

#include "disk/confirm.h"

#include "base/out.h"
#include "base/text.h"
#include "disk/serial.h"

enum { END_CHARS = 4 };

static bool is_plain(char c)
{
	return text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'z');
}

/* The last characters of a serial number; NULL: it is too short. */
static const char *end_of(const char *serial)
{
	size_t n = text_length(serial);

	return n >= END_CHARS ? serial + n - END_CHARS : NULL;
}

/* The end of the disk's serial number, if it is unique; otherwise NULL. */
static const char *own_end(const struct inventory *inventory, const struct inventory_disk *disk)
{
	const char *end = end_of(disk->device->serial);

	if (end == NULL || !serial_identifies(disk->device->serial))
		return NULL;
	for (const char *c = end; *c != '\0'; c++)
		if (!is_plain(*c))
			return NULL;
	for (size_t i = 0; i < inventory->n; i++) {
		const char *other = end_of(inventory->disk[i].device->serial);

		if (&inventory->disk[i] != disk && other != NULL && text_equal_nocase(other, end))
			return NULL;
	}
	return end;
}

struct confirm_word confirm_word(const struct inventory *inventory,
				 const struct selection *selection)
{
	const struct inventory_disk *disk = selection->disk;
	const struct inventory_part *part = selection->part;
	const char *end = own_end(inventory, disk);
	struct confirm_word word = { .n_serial = end != NULL ? END_CHARS : 0 };
	struct out_buffer out;

	out_buffer_init(&out, word.text, sizeof word.text);
	if (end != NULL)
		out_text(&out.out, end);
	else
		out_printf(&out.out, "DISK%zu", (size_t)(disk - inventory->disk) + 1);
	if (part != NULL && part->entry != NULL)
		out_printf(&out.out, "P%u", part->entry->number);
	else if (part != NULL)
		/* not in the table, so without a number: its index on the disk */
		out_printf(&out.out, "X%zu", (size_t)(part - disk->part) + 1);
	return word;
}
