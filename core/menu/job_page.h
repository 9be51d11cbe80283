/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/console.h"
#include "platform/terminal.h"

/*
 * A script on a screen: what its commands print, or the page of the one that runs
 * (menu/running.h). It is a console that is put over another one: that gets all that it would get
 * without the page, line by line, for those who read a serial line.
 */
struct job_page;

/*
 * Puts a page on a terminal over `below`; `name` is the script's. All three are the caller's, and
 * stay until it is closed. NULL: no memory.
 */
struct job_page *job_page_open(struct terminal *, const struct console *below, const char *name);

/* For script_run(). */
const struct console *job_page_console(struct job_page *);

/* What was printed, or its end where that is long: for a screen without the page. */
const char *job_page_text(struct job_page *);

/* Whether the person has asked to switch the machine off when the script is done. */
bool job_page_switches_off(const struct job_page *);

void job_page_close(struct job_page *);
