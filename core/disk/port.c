/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Translates device paths. Two disks of the same model, size and serial number differ visibly only
 * in where they are plugged in. A device path as text (UEFI 2.10, 10.6.1.2 and the tables after it)
 * has that; of its nodes this translates those that a user can find: PCI functions, SATA and USB
 * ports, SCSI targets, NVMe namespaces, IDE channels and card slots. PCI numbers are hexadecimal,
 * as in lspci and in the firmware's setup, all others decimal.
 *
 * Unknown nodes are left out, so that two ports may read the same although the paths differ; then
 * the path itself is shown.
 */

#include "disk/port.h"

#include "base/hex.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"

enum { PORT_BYTES = 96, ARGUMENTS_MAX = 2 };

/* A node: "Pci(0x1F,0x2)". */
struct node {
	const char *name;
	size_t n_name;
	uint64_t argument[ARGUMENTS_MAX]; /* 0: missing, or not a number */
};

/* The names of nodes, and what is printed before each of their arguments. */
static const struct {
	const char *name, *words[ARGUMENTS_MAX];
} known[] = {
	{ "Sata", { "SATA port " } },
	{ "Scsi", { "SCSI target ", ", LUN " } },
	{ "NVMe", { "NVMe namespace " } },
	{ "SD", { "card slot " } },
	{ "eMMC", { "eMMC slot " } },
	{ "UFS", { "UFS device ", ", LUN " } },
	{ "Unit", { "LUN " } },
};

/* Parses "0x1F" or "31", and advances *s past it. */
static uint64_t take_number(const char **s)
{
	bool hex = text_starts_with(*s, "0x") || text_starts_with(*s, "0X");
	uint64_t value = 0;

	for (*s += hex ? 2 : 0; text_hex_digit(**s) >= 0 && (hex || text_is_digit(**s)); ++*s)
		value = value * (hex ? 16 : 10) + (uint64_t)text_hex_digit(**s);
	return value;
}

/* Parses one node, and advances *path past it. False: the path ends. */
static bool take_node(const char **path, struct node *ret)
{
	const char *s = *path;
	unsigned depth = 0;

	while (*s == '/')
		s++;
	if (*s == '\0')
		return false;
	*ret = (struct node){ .name = s };
	while (*s != '\0' && *s != '(' && *s != '/')
		s++;
	ret->n_name = (size_t)(s - ret->name);
	for (unsigned n = 0; *s != '\0' && (depth > 0 || *s != '/'); s++) {
		depth += *s == '(';
		depth -= *s == ')' && depth > 0;
		if ((*s == '(' || *s == ',') && n < ARGUMENTS_MAX) {
			const char *number = s + 1;

			ret->argument[n++] = take_number(&number);
		}
	}
	*path = s;
	return true;
}

static bool is_called(const struct node *node, const char *name)
{
	for (size_t i = 0; i < node->n_name; i++)
		if (name[i] == '\0' || text_lower(node->name[i]) != text_lower(name[i]))
			return false;
	return name[node->n_name] == '\0';
}

/* "Ata(Primary,Slave,0x0)": its first two arguments are words. */
static void print_ata(const struct node *node, struct out *out)
{
	const char *s = node->name + node->n_name;

	out_text(out, "IDE");
	for (unsigned commas = 0; *s != '\0' && *s != ')'; s++) {
		commas += *s == ',';
		if (commas == 2)
			break;
		out_printf(out, "%c", *s == '(' || *s == ',' ? ' ' : text_lower(*s));
	}
}

/* Prints a node of the table `known`; false: it is none. */
static bool print_known(const struct node *node, const char *between, struct out *out)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!is_called(node, known[i].name))
			continue;
		out_text(out, between);
		for (size_t k = 0; k < ARGUMENTS_MAX && known[i].words[k] != NULL; k++)
			out_printf(out, "%s%ju", known[i].words[k], node->argument[k]);
		return true;
	}
	return false;
}

/* Bridges and hubs are nodes of their own: PCI and USB nodes are joined to "1C.0/0.0" and "2-1". */
void port_print(const char *path, struct out *out)
{
	const char *between = "", *pci = "PCI ", *usb = "USB port ";
	struct node node;

	while (take_node(&path, &node)) {
		if (is_called(&node, "Pci")) {
			out_printf(out, "%s%jX.%jX", pci, node.argument[0], node.argument[1]);
			pci = "/";
		} else if (is_called(&node, "USB")) {
			out_printf(out, "%s%s%ju", usb[0] == 'U' ? between : "", usb,
				   node.argument[0]);
			usb = "-";
		} else if (is_called(&node, "Ata")) {
			out_text(out, between);
			print_ata(&node, out);
		} else if (!print_known(&node, between, out)) {
			continue;
		}
		between = ", ";
	}
}

/* ---- Twins ---- */

static bool are_twins(const struct device *a, const struct device *b)
{
	return a != b && a->medium == b->medium && a->size_bytes == b->size_bytes &&
	       text_equal(a->bus, b->bus) && text_equal_nocase(a->model, b->model) &&
	       text_equal_nocase(a->serial, b->serial);
}

static void port_of(const struct inventory_disk *disk, char text[static PORT_BYTES])
{
	struct out_buffer out;

	out_buffer_init(&out, text, PORT_BYTES);
	port_print(disk->device->path, &out.out);
}

bool port_print_of_twin(const struct inventory *inventory, const struct inventory_disk *disk,
			struct out *out)
{
	char own[PORT_BYTES], other[PORT_BYTES];
	bool twin = false, told = false;

	port_of(disk, own);
	told = own[0] != '\0';
	for (size_t i = 0; i < inventory->n; i++) {
		if (!are_twins(disk->device, inventory->disk[i].device))
			continue;
		twin = true;
		port_of(&inventory->disk[i], other);
		told = told && !text_equal(own, other);
	}
	if (twin)
		out_text(out, told ? own : disk->device->path);
	return twin;
}
