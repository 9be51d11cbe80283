/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The field of cells. A cell covers several pieces of the copy: data outweighs zeros, and what
 * cannot be read outweighs both. A cell is read back when its last byte is.
 */
#include "menu/cells.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"

enum { CELL_BYTES_LEAST = 4096, WIDTH = SCREEN_TEXT_COLUMNS - 1 };

static const struct look {
	uint16_t c;
	enum style style;
	const char *words;
} looks[] = {
	[PART_READ_BACK] = { DRAW_FULL, STYLE_GOOD, "read back" },
	[PART_DATA] = { DRAW_GRID, STYLE_PLAIN, "copied" },
	[PART_TO_DO] = { DRAW_LIGHT, STYLE_DIM, "to do" },
	[PART_ZERO] = { '.', STYLE_DIM, "zeros" },
	[PART_UNREADABLE] = { '!', STYLE_BAD, "unreadable" },
};

void cells_begin(struct cells *cells, uint64_t disk_bytes, size_t most)
{
	*cells = (struct cells){ .disk_bytes = disk_bytes, .cell_bytes = CELL_BYTES_LEAST };
	while (div_up(disk_bytes, cells->cell_bytes) > most)
		cells->cell_bytes *= 2;
	cells->n = (size_t)div_up(disk_bytes, cells->cell_bytes);
}

/* Whether a cell in state `old` changes to `state`, of which [first, end) of the disk now is. */
static bool changes(const struct cells *cells, size_t i, enum part_state state, uint64_t end)
{
	enum part_state old = cells->state[i];

	if (state == PART_READ_BACK)
		return old == PART_DATA &&
		       end >= min_u64((i + 1) * cells->cell_bytes, cells->disk_bytes);
	if (state == PART_ZERO)
		return old == PART_TO_DO;
	return old != PART_UNREADABLE;
}

void cells_set(struct cells *cells, enum part_state state, uint64_t offset, uint64_t n)
{
	uint64_t end;

	if (cells->n == 0 || n == 0 || offset >= cells->disk_bytes)
		return;
	end = offset + min_u64(n, cells->disk_bytes - offset);
	for (size_t i = (size_t)(offset / cells->cell_bytes); i * cells->cell_bytes < end; i++)
		if (changes(cells, i, state, end))
			cells->state[i] = (uint8_t)state;
}

unsigned cells_lines(const struct cells *cells)
{
	return (unsigned)div_up(cells->n, WIDTH) + 2;
}

static unsigned put_words(struct screen *screen, unsigned line, unsigned column, const char *words)
{
	return screen_put(screen, line, column, STYLE_DIM, words) + 2;
}

void cells_draw(const struct cells *cells, struct screen *screen, unsigned line)
{
	unsigned column = 0, last = line + cells_lines(cells) - 1;
	char size[48];
	struct out_buffer out;

	for (size_t i = 0; i < cells->n; i++) {
		const struct look *look = &looks[cells->state[i]];

		screen_cell(screen, line + (unsigned)(i / WIDTH), (unsigned)(i % WIDTH),
			    look->style, look->c);
	}
	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
		screen_cell(screen, last, column, looks[i].style, looks[i].c);
		column = put_words(screen, last, column + 2, looks[i].words);
	}
	out_buffer_init(&out, size, sizeof size);
	out_text(&out.out, "1 = ");
	size_print(&out.out, cells->cell_bytes);
	(void)put_words(screen, last, column, size);
}
