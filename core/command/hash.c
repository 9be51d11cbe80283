#include "base/platform.h"
#include "base/sha256.h"
#include "command/command.h"
#include "job/scan.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the images (preset: what their first bytes say)" },
	{ 'p', "progress", NULL, "show how far it is" },
	{ 'U', "force-share", NULL, "accepted as in qemu-img; there are no locks here" },
	{ 0 },
};

static const char notes[] =
	"The SHA-256 of the disk that an image holds, the same for each format: what sha256sum\n"
	"says of a raw image of whole sectors. The output is sha256sum's.\n";

static void take(void *user, uint64_t offset, const uint8_t *bytes, uint64_t n, const uint64_t result[static SCAN_RESULTS])
{
	(void)offset;
	(void)result;
	if (bytes != NULL)
		sha256_add(user, bytes, (size_t)n);
	else
		sha256_add_zeros(user, n);
}

static enum status hash_one(const struct console *console, const struct arguments *arguments, const char *name, struct error *err)
{
	struct progress progress;
	struct sha256 sha;
	struct chain chain;
	uint8_t hash[SHA256_BYTES];
	char text[SHA256_TEXT_BYTES];
	enum status st = open_disk(arguments, "-f", name, &chain, err);

	if (st != ST_OK)
		return st;
	sha256_begin(&sha);
	progress_begin(&progress, arguments_has(arguments, "p") ? console->err : NULL, chain.link[0].image->size);
	st = scan_disk(&(struct scan_job){ .image = chain.link[0].image, .n_bytes = chain.link[0].image->size, .take = take,
					   .user = &sha, .progress = &progress }, err);
	progress_end(&progress);
	if (st == ST_OK) {
		sha256_end(&sha, hash);
		sha256_text(hash, text);
		out_printf(console->out, "%s  %s\n", text, name);
	}
	chain_close(&chain);
	return st;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct error err;
	int code = EXIT_OK;

	if (arguments->n_operands == 0) {
		error_set(&err, "the name of an image is expected");
		return command_misused(console, "hash", &err);
	}
	for (size_t i = 0; i < arguments->n_operands; i++)
		if (hash_one(console, arguments, arguments->operands[i], &err) != ST_OK)
			code = command_failed(console, &err);
	return code;
}

const struct command command_hash = {
	.name = "hash",
	.summary = "the SHA-256 of the disk in an image, whatever its format",
	.usage = "[OPTIONS] FILE...",
	.options = options,
	.notes = notes,
	.example = "hash fs0:\\vm.qcow2\n",
	.run = run,
};
