/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * hash: the SHA-256 of the disk in an image, and the comparison with the hashes of a manifest
 * (record/manifest.h). A manifest has a hash for each range, so that a difference has a place.
 */
#include "base/hex.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/progress_option.h"
#include "cli/image_options.h"
#include "engine/scan.h"
#include "record/manifest.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the images (default: detected)" },
	{ 0, "check", "FILE",
	  "compare with the hashes in a manifest: of the image\nthat it names, or of the one that "
	  "is given" },
	{ 'a', "algorithm", "NAME", "sha256 (default); no other one is supported" },
	{ 'p', "progress", NULL, "show progress" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"Prints the SHA-256 of the disk in an image, which is the same for each format:\n"
	"that of a raw image of whole sectors. The output is that of sha256sum, with\n"
	"--check, too. capture and convert --manifest make manifests. FILE can have the\n"
	"wildcards * and ? in its last part.\n";

static void take_whole(void *user, uint64_t offset, const uint8_t *bytes, uint64_t n,
		       const uint64_t result[static SCAN_RESULTS])
{
	(void)offset;
	(void)result;
	if (bytes != NULL)
		sha256_add(user, bytes, (size_t)n);
	else
		sha256_add_zeros(user, n);
}

static void take_ranges(void *user, uint64_t offset, const uint8_t *bytes, uint64_t n,
			const uint64_t result[static SCAN_RESULTS])
{
	(void)offset;
	(void)result;
	manifest_add(user, bytes, n);
}

/* Scans the range of the job, with progress. */
static enum status scan(const struct console *console, const struct arguments *arguments,
			struct scan_job *job, struct error *err)
{
	struct console_progress shown;
	struct progress progress = { .sink = arguments_has(arguments, "p") ? &shown.sink : NULL };
	enum status st;

	/* The output has the form of sha256sum's: progress does not belong into it. */
	console_progress_init(&shown, console, false);
	job->progress = &progress;
	progress_begin(&progress, job->n_bytes);
	progress_phase(&progress, "reading", job->n_bytes);
	st = scan_disk(job, err);
	progress_end(&progress);
	return st;
}

static enum status hash_one(const struct console *console, const struct arguments *arguments,
			    const char *name, struct error *err)
{
	struct scan_job job = { .take = take_whole };
	struct sha256 sha;
	struct chain chain;
	uint8_t hash[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	enum status st = open_disk(console, arguments, "-f", name, &chain, err);

	if (st != ST_OK)
		return st;
	sha256_begin(&sha);
	job.image = chain.link[0].image;
	job.n_bytes = job.image->size;
	job.user = &sha;
	st = scan(console, arguments, &job, err);
	if (st == ST_OK) {
		sha256_end(&sha, hash);
		hex_text(hash, sizeof hash, text);
		out_printf(console->out, "%s  %s\n", text, name);
	}
	chain_close(&chain);
	return st;
}

/* Warns of each range that differs; neighbours are one range. */
static void warn_differences(const struct console *console, const char *name,
			     const struct manifest_claim *claim, const struct manifest *found)
{
	size_t end;

	for (size_t i = 0; i < claim->n; i = end) {
		bool differs = memcmp(claim->hash[i], found->hash[i], SHA256_BYTES) != 0;

		for (end = i + 1; end < claim->n && (memcmp(claim->hash[end], found->hash[end],
							    SHA256_BYTES) != 0) == differs;)
			end++;
		if (differs)
			command_warn(console,
				     "%s: %ju bytes at offset %ju of the disk differ from the "
				     "manifest",
				     name,
				     min_u64(end * claim->range_bytes, claim->size) -
					     i * claim->range_bytes,
				     i * claim->range_bytes);
	}
}

/*
 * `own`: it is the image that the manifest names, and must have the same size. A disk that it was
 * restored onto may be larger.
 */
static enum status compare_with(const struct console *console, const struct arguments *arguments,
				const struct manifest_claim *claim, const char *name, bool own,
				struct image *image, bool *ret_same, struct error *err)
{
	struct manifest found;
	struct scan_job job = {
		.image = image, .n_bytes = claim->size, .take = take_ranges, .user = &found
	};
	uint8_t whole[SHA256_BYTES];
	enum status st;

	st = manifest_open(&found, claim->size, err);
	if (st == ST_OK && found.range_bytes != claim->range_bytes)
		st = fail(err, ST_UNSUPPORTED,
			  "%s: ranges of %ju bytes are not supported for a disk of this size",
			  arguments_value(arguments, "check"), claim->range_bytes);
	if (st == ST_OK && (image->size < claim->size || (own && image->size > claim->size))) {
		command_warn(console,
			     "%s: its disk of %ju bytes is %s than the %ju of the manifest", name,
			     image->size, image->size < claim->size ? "smaller" : "larger",
			     claim->size);
		*ret_same = false;
		manifest_close(&found);
		return ST_OK;
	}
	if (st == ST_OK)
		st = scan(console, arguments, &job, err);
	if (st == ST_OK) {
		manifest_end(&found, whole);
		*ret_same = memcmp(whole, claim->whole, SHA256_BYTES) == 0;
		if (!*ret_same)
			warn_differences(console, name, claim, &found);
	}
	manifest_close(&found);
	return st;
}

static enum status check(const struct console *console, const struct arguments *arguments,
			 bool *ret_same, struct error *err)
{
	struct manifest_claim claim;
	struct chain chain;
	const char *name;
	bool own;
	enum status st = manifest_read(arguments_value(arguments, "check"), &claim, err);

	if (st != ST_OK)
		return st;
	own = arguments->n_operands ==
	      0; /* of another image, the manifest does not know the format */
	name = own ? claim.image : arguments->operands[0];
	st = own && !arguments_has(arguments, "f")
		     ? chain_open_disk(console->storage, name, image_format_find(claim.format),
				       &chain, err)
		     : open_disk(console, arguments, "-f", name, &chain, err);
	if (st == ST_OK) {
		st = compare_with(console, arguments, &claim, name, own && !storage_is_device(name),
				  chain.link[0].image, ret_same, err);
		if (st == ST_OK)
			out_printf(console->out, "%s: %s\n", name, *ret_same ? "OK" : "FAILED");
		chain_close(&chain);
	}
	manifest_claim_free(&claim);
	return st;
}

static int run_check(const struct console *console, const struct arguments *arguments)
{
	struct error err;
	bool same = false;

	if (arguments->n_operands > 1) {
		error_set(&err, "with --check, at most one image is expected");
		return command_misused(console, "hash", &err);
	}
	if (check(console, arguments, &same, &err) != ST_OK)
		return command_failed(console, &err);
	return same ? EXIT_OK : EXIT_ERROR;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct error err;
	int code = EXIT_OK;

	if (arguments_has(arguments, "a") &&
	    !text_equal_nocase(arguments_value(arguments, "a"), "sha256")) {
		error_set(&err, "-a %s: only sha256 is supported, also without -a",
			  arguments_value(arguments, "a"));
		return command_misused(console, "hash", &err);
	}
	if (arguments_has(arguments, "check"))
		return run_check(console, arguments);
	if (arguments->n_operands == 0) {
		error_set(&err, "no image given");
		return command_misused(console, "hash", &err);
	}
	for (size_t i = 0; i < arguments->n_operands; i++)
		if (hash_one(console, arguments, arguments->operands[i], &err) != ST_OK)
			code = command_failed(console, &err);
	return code;
}

const struct command command_hash = {
	.name = "hash",
	.purpose = PURPOSE_IMAGES,
	.summary = "print the SHA-256 of the disk in an image",
	.usage = "[OPTIONS] FILE...",
	.wildcards = true,
	.options = options,
	.notes = notes,
	.example = "hash fs0:\\vm.qcow2\n"
		   "hash --check=fs0:\\pc.json\n",
	.run = run,
};
