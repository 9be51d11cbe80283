/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/menu.h"
#include "menu/pick.h"
#include "menu/run.h"
#include "record/journal_text.h"

/*
 * What one item of the start screen does: some steps that ask, which make a command line, and its
 * run. The person can go back from each step to the one before.
 */

enum {
	VERDICTS_MAX = 3,
	CHOICES_MAX = 5,
	VALUES_MAX = 8,
	NAME_BYTES = 128,
	SIZE_BYTES = 32,
	PLAN_BYTES = 4096,
	CONTINUED_MAX = 3,
};

/* Something to choose among the options, safe things first. */
struct choice {
	const char *label;
	struct {
		const char *words;
		const char *option;    /* on the command line */
		const char *extension; /* of the file that is made; of formats alone */
	} value[VALUES_MAX];           /* ends with a NULL */
};

/* What an exit code of a task means, where it is not the usual. */
struct verdict {
	int code;
	const char *words;
	enum style style;
};

struct menu;

struct flow {
	const char *title;
	const char *help;
	enum way (*step[6])(struct menu *); /* ends with a NULL */
	struct choice choice[CHOICES_MAX];  /* ends with a NULL label */
	/* Makes the line of what was chosen, as far as it was. */
	void (*compose)(const struct menu *, struct line *);
	/*
	 * The plan of a command that has no --dry-run. Returns the word to be typed before it runs;
	 * NULL: y is enough.
	 */
	const char *(*explain)(const struct menu *, struct out *);
	const char *note; /* below the plan; loud, if there is a word */
	const char *word;
	const char *heading;       /* of the plan; NULL: the usual one */
	const struct flow *repair; /* of what it may find; NULL: none */
	bool has_source;           /* what is read, and where to, is chosen before the first step */
	bool writes_manifest;      /* of the new file, unless it is not wanted */
	bool answers;              /* what the command prints is what was asked for */
	struct verdict verdict[VERDICTS_MAX]; /* ends with NULL words */
};

/* A capture that was interrupted, and can be continued. */
struct continued {
	char file[PATH_BYTES]; /* the unfinished image */
	char disk[SELECTOR_BYTES];
	char options[JOURNAL_OPTIONS_BYTES];
	unsigned percent;
};

enum { NOT_RUN = -1 };

struct menu {
	struct ui ui;
	const struct flow *flow;
	size_t at; /* the step */
	unsigned value[CHOICES_MAX];
	struct pick source; /* the disk or the image that is read */
	/* the disk that is written to, or compared with, or the image that is compared with */
	struct pick other;
	struct pick place;     /* where a new image comes to be */
	char name[NAME_BYTES]; /* of it */
	bool replaces;         /* there is a file of that name, which may be lost */
	char size[SIZE_BYTES];
	struct {
		char id[SIZE_BYTES], name[NAME_BYTES];
	} snapshot; /* that was chosen */
	int code;   /* the exit code of what ran last in this flow; NOT_RUN */
	struct continued continued[CONTINUED_MAX];
	size_t n_continued;
	const struct continued *continues; /* of these, by flow_continue */
	char suggested[NAME_BYTES];        /* for the name */
	char trail[256];                   /* the title, and what is chosen so far */
	char step[32];
	char plan[PLAN_BYTES + LINE_BYTES + 1024];
	char why[1024];
	struct line line;
	struct transcript transcript;
	struct running running;
	char result[TRANSCRIPT_BYTES + LINE_BYTES + 2048];
	enum menu_end end;
};

extern const struct flow flow_create, flow_capture, flow_continue, flow_restore, flow_clone;
extern const struct flow flow_stick, flow_list, flow_bench, flow_hash, flow_hash_disk;
/* Of the image that is m->source. */
extern const struct flow flow_check, flow_repair, flow_info, flow_compare, flow_compare_disk;
extern const struct flow flow_convert, flow_resize, flow_remove, flow_rename;
extern const struct flow flow_snapshot_take, flow_snapshot_revert, flow_snapshot_delete;

/*
 * Goes through the steps, runs what they have made, and shows how it ended. WAY_QUIT, or WAY_BACK:
 * to where it came from.
 */
enum way flow_run(struct menu *, const struct flow *);

/*
 * Asks whether the rest of the stick should become a volume, unless that was refused before.
 * WAY_QUIT: the person leaves the menu.
 */
enum way stick_ask(struct menu *);

/* Whether what was chosen is a file that does not look like a disk, or not like all of one. */
bool doubt_concerns(const struct menu *);

/* The option that lifts the command's refusal of it; "": none. */
const char *doubt_option(const struct menu *);

/* Asks for words that are not the usual ones before such a file is written. */
enum way doubt_ask(struct menu *);

/* Finds the captures that can be continued, and describes one as an item of a list. */
void continued_find(struct menu *);
void continued_describe(struct menu *, size_t index, struct item *);

enum way continued_run(struct menu *, size_t index);

/* Shows the snapshots of the image m->source, and what can be done with them. */
enum way show_snapshots(struct menu *);

/* Whether a text from outside can be a word of a command line: ASCII without control characters. */
bool is_printable(const char *text);

/* Lets the person choose a log of an earlier run, and shows it. */
enum way show_log(struct menu *);

/* Steps. */
enum way step_source_disk(struct menu *);
enum way step_image(struct menu *); /* as the source */
enum way step_other_image(struct menu *);
enum way step_other_disk(struct menu *);
enum way step_target(struct menu *);
enum way step_choices(struct menu *);
enum way step_size(struct menu *);
enum way step_place(struct menu *);
enum way step_name(struct menu *);
enum way step_plan(struct menu *);  /* of a new file */
enum way step_erase(struct menu *); /* the plan, and the serial number to type */

/* The options that were chosen. */
void line_choices(const struct menu *, struct line *);
