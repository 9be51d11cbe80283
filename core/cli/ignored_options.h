/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"

/* Options of qemu-img that have no effect here: accepted, but only with values that it takes. */

/* Checks the option -r, a number of bytes per second. Errors: ST_INVALID. */
enum status rate_option(const struct arguments *, struct error *);

/* Checks an option ("-T") that names one of qemu-img's cache modes. Errors: ST_INVALID. */
enum status cache_option(const struct arguments *, const char *option, struct error *);
