/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The word to be typed before a disk is erased. It must be one that can only be meant for that
 * disk: a person who looks at the wrong line must not find that its word works as well.
 *
 * The last four characters of the serial number are best, since they are printed on the disk
 * itself. They serve only if they are letters and digits, if the serial number is not a maker's
 * placeholder (serial.c), and if no other disk of the machine has a serial number with the same
 * end. All other disks are called "DISK" and their number in the list of disks. To both a partition
 * adds "P" and its number.
 *
 * Why no two words are equal: words of the first kind differ in their four characters, those of the
 * second in the number. A disk's word of one kind has four characters, of the other at least five.
 * After the fifth character of a word of the first kind, "P", comes the number; the fifth of one of
 * the second kind is a digit.
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

/* Its last characters, NULL if it has not so many. */
static const char *end_of(const char *serial)
{
	size_t n = text_length(serial);

	return n >= END_CHARS ? serial + n - END_CHARS : NULL;
}

/* The end of the disk's serial number; NULL: it does not tell the disk from the others. */
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
		/* One that is in no table has no number there: its place on the disk. */
		out_printf(&out.out, "X%zu", (size_t)(part - disk->part) + 1);
	return word;
}
