/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The last line of a copy from or onto a disk. A person reads this one line hours after the start,
 * and decides by it whether the old disk may be wiped. So it says first whether the target was
 * verified, and compared with what; then what is missing; only then how much it was. It never says
 * "verified" of what was not read back: neither of a copy with
 * --no-verify, nor of the parts that an earlier run has copied.
 *
 * What is printed depends on the job alone, except for the time, which the caller leaves out where
 * the output is to be the same each time.
 */

#include "copy/result_print.h"

#include "base/size.h"
#include "blk/blk.h"
#include "platform/clock.h"
#include "platform/files.h"

#define SECOND UINT64_C(1000000000)

enum { MINUTE = 60, HOUR = 3600 };

static void print_sources(const struct result *result, struct out *out)
{
	static const char *const what[] = {
		[RESULT_ALL] = "",
		[RESULT_PART] = "the part copied from ",
		[RESULT_REST] = "what was missing of ",
	};

	if (result->n_sources == 1)
		out_printf(out, "%s%s", what[result->scope], result->source[0]);
	else
		out_printf(out, "%sthe %zu sources, one after another", what[result->scope],
			   result->n_sources);
}

static void print_gpt(const struct result *result, struct out *out)
{
	if (result->gpt_moved)
		out_printf(out, ", %sthe backup of its GPT moved to the end",
			   result->verified ? "with " : "");
}

static void print_left_off(const struct result *result, struct out *out)
{
	if (result->left_off_bytes == 0)
		return;
	out_text(out, result->verified ? " without the " : ", without the ");
	size_print(out, result->left_off_bytes);
	out_text(out, " of zeros at its end, for which there is no room");
}

static void print_unused(const struct result *result, struct out *out)
{
	if (result->unused_bytes == 0)
		return;
	out_printf(out,
		   "%s what nothing on it uses: ", result->verified ? " except for" : ", without");
	size_print(out, result->unused_bytes);
	out_text(out, result->keeps_unused ? " of the target stay as they were" : " are zeros");
}

static void print_lost(const struct result *result, struct out *out)
{
	if (result->n_lost == 0)
		return;
	out_text(out, result->verified ? " except for " : ", ");
	size_print(out, result->lost_bytes);
	out_printf(out, " in %ju place%s%s could not be read and %s zeros", result->n_lost,
		   result->n_lost == 1 ? "" : "s", result->verified ? " that" : "",
		   result->lost_bytes == 1 ? "is" : "are");
}

static void print_time(uint64_t nanoseconds, struct out *out)
{
	uint64_t seconds = nanoseconds / SECOND;

	if (seconds >= HOUR)
		out_printf(out, ", %ju h %ju min", seconds / HOUR, seconds % HOUR / MINUTE);
	else if (seconds >= MINUTE)
		out_printf(out, ", %ju min %ju s", seconds / MINUTE, seconds % MINUTE);
	else if (seconds > 0)
		out_printf(out, ", %ju s", seconds);
}

void result_print(const struct result *result, struct out *out)
{
	out_printf(out, "efi-img: %s: ", result->target);
	if (result->verified) {
		out_text(out, "verified, identical to ");
		print_sources(result, out);
	} else {
		out_printf(out, "not verified%s%s%s", result->why_not[0] != '\0' ? " (" : "",
			   result->why_not, result->why_not[0] != '\0' ? ")" : "");
	}
	print_unused(result, out);
	print_left_off(result, out);
	print_lost(result, out);
	print_gpt(result, out);
	out_text(out, "; ");
	size_print(out, result->disk_bytes);
	out_text(out, " of disk");
	if (result->file_bytes > 0) {
		out_text(out, " in ");
		size_print(out, result->file_bytes);
		out_text(out, " of file");
	}
	print_time(result->nanoseconds, out);
	out_text(out, "\n");
}

/* Of one file, with its parts; 0 where that is not known. */
static uint64_t file_size(struct storage *storage, const char *name)
{
	struct error ignored;
	struct blk *file;
	uint64_t size;

	if (storage_reopen(storage, name, OPEN_READ, &file, &ignored) != ST_OK)
		return 0;
	size = file->size;
	blk_close(file);
	return size;
}

/* Of all files together; 0 where that is not known of one. */
static uint64_t target_size(const struct copy_request *r)
{
	struct error ignored;
	struct image *image;
	struct blk *file;
	uint64_t size;

	if (storage_is_device(r->target) ||
	    storage_reopen(r->storage, r->target, OPEN_READ, &file, &ignored) != ST_OK ||
	    image_open_blk(r->storage, file, r->target, r->format, OPEN_READ, &image, &ignored) !=
		    ST_OK)
		return 0;
	size = image->file[0].blk->size;
	for (size_t i = 1; size > 0 && i < image->n_files; i++) {
		uint64_t n = file_size(r->storage, image->file[i].name);

		size = n > 0 ? size + n : 0;
	}
	image_close(image);
	return size;
}

void result_print_copy(const struct result_facts *facts, struct out *out)
{
	const struct copy_request *request = facts->request;
	struct result result = {
		.target = request->target,
		.source = request->source_name,
		.n_sources = request->n_sources,
		.scope = facts->scope,
		.verified = facts->result->verified,
		.gpt_moved = facts->result->gpt_moved,
		.why_not = "--no-verify",
		.disk_bytes = facts->result->disk_bytes,
		.left_off_bytes = facts->result->left_off_bytes,
		.unused_bytes = facts->result->unused_bytes,
		.keeps_unused = facts->result->keeps_unused,
		.file_bytes = target_size(request),
	};

	if (request->losses != NULL) {
		result.lost_bytes = request->losses->bytes;
		result.n_lost = request->losses->n;
	}
	if (facts->begin_ns > 0)
		result.nanoseconds = platform_nanoseconds() - facts->begin_ns;
	result_print(&result, out);
}
