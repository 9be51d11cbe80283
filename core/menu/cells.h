/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/events.h"
#include "menu/screen.h"

/*
 * A disk as a field of cells, each for an equal part of it, as it is copied. A cell shows the state
 * that matters most of what it covers.
 */
enum { CELLS_MAX = SCREEN_TEXT_COLUMNS * SCREEN_ROWS_MAX };

struct cells {
	uint64_t disk_bytes, cell_bytes; /* a power of two */
	size_t n;                        /* 0: there is no field */
	uint8_t state[CELLS_MAX];        /* enum part_state */
};

/* Begins a field of at most `most` cells, 1 to CELLS_MAX, in which everything is to do. */
void cells_begin(struct cells *, uint64_t disk_bytes, size_t most);

/* What has become of `n` bytes at `offset`. What is outside of the disk is ignored. */
void cells_set(struct cells *, enum part_state, uint64_t offset, uint64_t n);

/* Draws the field from a line on, and below it what the characters mean. */
void cells_draw(const struct cells *, struct screen *, unsigned line);

/* Returns the lines that cells_draw() takes. */
unsigned cells_lines(const struct cells *);
