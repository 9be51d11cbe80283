/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk as a field of cells, as text that any console and file can have, and as a drawing with a
 * rectangle for each run of equal cells in a line. What cannot be read outweighs data, and data
 * outweighs what is unused or zeros: a single bad sector of a terabyte is seen.
 */
#include "cli/picture.h"

#include "base/memory.h"
#include "base/printable.h"
#include "base/range.h"
#include "base/size.h"

enum { CELL_BYTES_LEAST = 4096 };

/* Of the drawing, in its units. */
enum { SIDE = 8, MARGIN = 16, LINE = 20, LEGEND_STEP = 220 };

static const struct look {
	char c;
	const char *color; /* readable for those who see red and green alike */
	const char *words;
} looks[PICTURE_KINDS] = {
	[PICTURE_ZERO] = { '.', "#e4e4e4", "zeros" },
	[PICTURE_UNUSED] = { '-', "#b7d3e8", "unused" },
	[PICTURE_DATA] = { '#', "#3b6ea8", "data" },
	[PICTURE_UNTRIED] = { '?', "#f0c040", "not copied yet" },
	[PICTURE_UNREADABLE] = { '!', "#d55e00", "unreadable" },
};

enum status picture_open(struct picture *picture, const char *name, uint64_t start,
			 uint64_t n_bytes, size_t columns, size_t most, struct error *err)
{
	*picture = (struct picture){ .name = name,
				     .start = start,
				     .n_bytes = n_bytes,
				     .cell_bytes = CELL_BYTES_LEAST,
				     .columns = columns };
	while (div_up(n_bytes, picture->cell_bytes) > most)
		picture->cell_bytes *= 2;
	picture->n = (size_t)div_up(n_bytes, picture->cell_bytes);
	picture->kind = mem_alloc(picture->n + 1); /* an empty disk has no cell */
	return picture->kind != NULL ? ST_OK : fail_no_memory(err);
}

void picture_close(struct picture *picture)
{
	mem_free(picture->kind);
	picture->kind = NULL;
}

void picture_set(struct picture *picture, enum picture_kind kind, uint64_t offset, uint64_t n)
{
	uint64_t first = max_u64(offset, picture->start);
	uint64_t end = min_u64(offset + n, picture->start + picture->n_bytes);

	if (first >= end)
		return;
	picture->of[kind] += end - first;
	for (uint64_t i = (first - picture->start) / picture->cell_bytes;
	     i * picture->cell_bytes < end - picture->start; i++)
		if (picture->kind[i] < kind)
			picture->kind[i] = (uint8_t)kind;
}

/* "disk.qcow2: 64 GiB, each character is 64 MiB" */
static void print_title(const struct picture *picture, const char *what, struct out *out)
{
	out_printable(out, picture->name, SIZE_MAX);
	out_text(out, ": ");
	size_print(out, picture->n_bytes);
	out_printf(out, ", each %s is ", what);
	size_print(out, picture->cell_bytes);
}

static void print_offset(const struct picture *picture, size_t i, struct out *out)
{
	char text[32];
	struct out_buffer buffer;

	out_buffer_init(&buffer, text, sizeof text);
	size_print(&buffer.out, picture->start + i * picture->cell_bytes);
	out_printf(out, "%-10s", text);
}

void picture_print_text(const struct picture *picture, struct out *out)
{
	print_title(picture, "character", out);
	out_text(out, "\n\n");
	for (size_t i = 0; i < picture->n; i++) {
		if (i % picture->columns == 0)
			print_offset(picture, i, out);
		out_printf(out, "%c", looks[picture->kind[i]].c);
		if (i + 1 == picture->n || (i + 1) % picture->columns == 0)
			out_text(out, "\n");
	}
	out_text(out, "\n");
	for (enum picture_kind kind = PICTURE_KINDS; kind-- > 0;) {
		if (picture->of[kind] == 0)
			continue;
		out_printf(out, "%c %s, ", looks[kind].c, looks[kind].words);
		size_print(out, picture->of[kind]);
		out_text(out, "\n");
	}
}

static void print_rectangle(struct out *out, size_t x, size_t y, size_t columns, const char *color)
{
	out_printf(out, "<rect x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%d\" fill=\"%s\"/>\n", x,
		   y, columns * SIDE, SIDE - 1, color);
}

/* The name of a file may have characters that mean something in XML. */
static void print_xml_title(const struct picture *picture, struct out *out)
{
	char title[512];
	struct out_buffer buffer;

	out_buffer_init(&buffer, title, sizeof title);
	print_title(picture, "cell", &buffer.out);
	for (const char *p = title; *p != '\0'; p++)
		if (*p == '&')
			out_text(out, "&amp;");
		else if (*p == '<')
			out_text(out, "&lt;");
		else
			out_printf(out, "%c", *p);
}

static void print_cells(const struct picture *picture, struct out *out)
{
	for (size_t i = 0, n; i < picture->n; i += n) {
		size_t line = i / picture->columns, column = i % picture->columns;

		for (n = 1; i + n < picture->n && column + n < picture->columns &&
			    picture->kind[i + n] == picture->kind[i];)
			n++;
		print_rectangle(out, MARGIN + column * SIDE, MARGIN + 2 * LINE + line * SIDE, n,
				looks[picture->kind[i]].color);
	}
}

void picture_print_svg(const struct picture *picture, struct out *out)
{
	size_t lines = (size_t)div_up(picture->n, picture->columns);
	size_t legend = MARGIN + 2 * LINE + lines * SIDE + LINE, x = MARGIN;

	out_printf(out,
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
		   "font-family=\"sans-serif\" font-size=\"14\">\n"
		   "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		   "<text x=\"%d\" y=\"%d\">",
		   (size_t)2 * MARGIN + picture->columns * SIDE, legend + LINE, MARGIN,
		   MARGIN + LINE);
	print_xml_title(picture, out);
	out_text(out, "</text>\n");
	print_cells(picture, out);
	for (enum picture_kind kind = PICTURE_KINDS; kind-- > 0;) {
		if (picture->of[kind] == 0)
			continue;
		print_rectangle(out, x, legend - SIDE, 1, looks[kind].color);
		out_printf(out, "<text x=\"%zu\" y=\"%zu\">%s, ", x + (size_t)2 * SIDE, legend,
			   looks[kind].words);
		size_print(out, picture->of[kind]);
		out_text(out, "</text>\n");
		x += LEGEND_STEP;
	}
	out_text(out, "</svg>\n");
}
