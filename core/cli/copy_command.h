/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "copy/request.h"

/* Rows of its options, which mean the same for each such command. */
#define OPTION_ERASE \
	{ \
		0, "erase", "NAME", \
			"confirm that the data on the target disk or partition\nis overwritten: " \
			"its name as list shows it, without\nserial= (guid=, path=)" \
	}
#define OPTION_ALL \
	{ \
		0, "all", NULL, "copy everything, and not only what file systems use" \
	}
#define OPTION_RESUME \
	{ \
		0, "resume", NULL, \
			"continue an interrupted copy of a disk into a file, or\nback, after " \
			"comparing the part that was copied" \
	}
#define OPTION_SALVAGE \
	{ \
		0, "salvage", NULL, \
			"write zeros for sectors that cannot be read after three\nmore attempts, " \
			"and list them; exit code 10" \
	}
#define OPTION_MAP \
	{ \
		0, "map", "FILE", \
			"keep a map of copied and unreadable ranges in FILE, in\nthe format of " \
			"GNU ddrescue; with an existing target and\nFILE: copy only what is not " \
			"finished in it" \
	}
#define OPTION_GPT \
	{ \
		0, "gpt", "WHAT", \
			"the GPT of a smaller disk: move its backup to the end\nof the target " \
			"(default), keep it unchanged, or refuse\nto write" \
	}
#define OPTION_NO_TABLE \
	{ \
		0, "no-table", NULL, \
			"write a raw file to a whole disk although it has\nneither a partition " \
			"table nor a file system" \
	}
#define OPTION_TRUNCATED \
	{ \
		0, "truncated", NULL, \
			"write a raw file to a disk although its partitions or\nits file system " \
			"reach past its end" \
	}
#define OPTION_NO_VERIFY \
	{ \
		0, "no-verify", NULL, "with a disk on either side: do not verify the target" \
	}
#define OPTION_SPLIT \
	{ \
		0, "split", "SIZE", \
			"split the target into files of at most this size,\nTARGET, TARGET.001 " \
			"..., which efi-img opens as one\n(default: if it may outgrow the " \
			"largest " \
			"file of its\nvolume; 0: never)" \
	}
#define OPTION_DRY_RUN \
	{ \
		0, "dry-run", NULL, \
			"for a disk or a new image: print the plan, or the\nreason to refuse, " \
			"and write nothing" \
	}
#define OPTION_PLAN_STYLE \
	{ \
		0, "output", "STYLE", "format of --dry-run: human (default) or json" \
	}
#define OPTION_QUIET \
	{ \
		'q', "quiet", NULL, "print errors only" \
	}
#define OPTION_FORCE \
	{ \
		0, "force", NULL, "replace the target if it exists" \
	}

/*
 * A command that copies: it fills a request from its options. Everything else is the same for all
 * such commands, and done here: opening the sources, the plan, the copy, the result, the exit code.
 */
struct copy_command {
	const struct console *console;
	const struct arguments *arguments; /* have -q, --dry-run and --output */
	struct copy_request request;
	const struct image_format *source_format; /* NULL: detected */
	const char *snapshot; /* the disk as it was at this one; NULL: as it is */
	bool progress;        /* show it, unless -q is given */
	bool salvage;
	bool as_it_is; /* the sources are raw: refuse an image of another format */
	/*
	 * the options of convert that decide what is written, for the journal; the command prints
	 * them here
	 */
	struct out_buffer text;
	char deciding[JOURNAL_OPTIONS_BYTES];
	char *manifest, *bmap; /* the request's, if they are to be freed at the end */
};

/*
 * Checks that there is one source, and which of source and target are disks, for commands that are
 * about one direction; takes --erase and --no-verify for a target that is a disk, which the request
 * overwrites. Errors: ST_INVALID.
 */
enum status copy_command_operands(struct copy_command *, bool from_disk, bool to_disk,
				  struct error *);

/* Takes --gpt: move, which is the default, keep or refuse. Errors: ST_INVALID. */
enum status copy_gpt_option(const struct arguments *, struct copy_request *, struct error *);

/* Takes --split, the largest size of the target's files; 0: one file. Errors: ST_INVALID. */
enum status copy_split_option(const struct arguments *, struct copy_request *, struct error *);

/*
 * Runs a command of that name, and returns its exit code. The request has what is the same for all:
 * the operands, of which the last is the target, zeros that are not stored, and a target that may
 * be split. `take_options` adds the rest; its error ends the command.
 */
int copy_command(const struct console *, const struct arguments *, const char *name,
		 enum status (*take_options)(struct copy_command *, struct error *));
