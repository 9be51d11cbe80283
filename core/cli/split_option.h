/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "edit/create.h"

/*
 * Takes the option --split=SIZE, the largest size of the files of a new image; 0: one file.
 * `by_default`: without the option, the image is split where it may outgrow the largest file of its
 * volume. Errors: ST_INVALID.
 */
enum status split_option(const struct arguments *, bool by_default, struct create_job *,
			 struct error *);

/* Prints which `n` files an image consists of, if there are several, and how to join them. */
void split_print(const struct console *, const char *file_name, unsigned n);
