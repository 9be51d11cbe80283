/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmdk: disks of VMware (VMware, "Virtual Disk Format 5.0"; seSparse has no specification).
 *
 * A disk is a row of extents, each a file: flat, or of grains with a directory of grain tables. A
 * descriptor, a text, names them; it is a file of its own, or inside of the only extent.
 *
 * Read: monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat,
 * streamOptimized, vmfs, vmfsSparse (COWD) and seSparse; extents of zeros and read-only ones;
 * parents, whose CID must be the parentCID. Written: those with flat and with hosted sparse extents
 * of versions 1 and 2; streamOptimized once, in ascending order (stream.c). Refused by name: other
 * kinds of images and extents, disks of the machine (VMFSRAW, VMFSRDM), NOACCESS, encrypted images,
 * files outside of the descriptor's directory, damage by a transfer as text; for writing, images
 * with changeTrackPath or of version 3, and those that VMware ESX grows itself.
 *
 * Memory: the directories, 128 KiB per TiB with grains of 64 KiB, twice if there are copies; up to
 * 2 MiB of tables for all extents together; about 500 bytes for each extent.
 *
 * Write order: the new CID and a flush, before the first change; the header's note that it was not
 * closed cleanly, and a flush; whole new grains, a flush; the entries in both copies of the tables,
 * a flush; the note is taken back. When the power goes, an entry names a grain that is whole, in
 * one copy or in both; the next opening for writing makes them alike. New images: create.c.
 */
#include "base/text.h"
#include "format/vmdk/image.h"

static bool is_end_of_line(char c)
{
	return c == '\n' || c == '\r';
}

static bool starts_with_nocase(const char *s, const char *prefix)
{
	while (*prefix != '\0' && text_lower(*s) == *prefix) {
		s++;
		prefix++;
	}
	return *prefix == '\0';
}

/*
 * The first comment that VMware writes; or comments and empty lines, then version=1, 2 or 3: what
 * qemu-img goes by, whatever the first comment says.
 */
static bool is_descriptor(const struct image_probe *probe)
{
	static const char key[] = "version=";
	const char *head = (const char *)probe->head;
	size_t at = 0, end = sizeof probe->head - sizeof key - 1;

	if (starts_with_nocase(head, "# disk descriptorfile"))
		return true;
	while (at < end && (head[at] == '#' || head[at] == ' ' || is_end_of_line(head[at]))) {
		bool comment = head[at] == '#';

		while (comment && at < end && !is_end_of_line(head[at]))
			at++;
		at++;
	}
	if (at >= end || !starts_with_nocase(head + at, key))
		return false;
	at += sizeof key - 1;
	return head[at] >= '1' && head[at] <= '3' && is_end_of_line(head[at + 1]);
}

static int vmdk_probe(const struct image_probe *probe)
{
	return vmdk_is_sparse(probe->head) || vmdk_is_cowd(probe->head) ||
			       vmdk_is_se_sparse(probe->head) || is_descriptor(probe)
		       ? PROBE_CERTAIN
		       : 0;
}

const struct image_format format_vmdk = {
	.name = "vmdk",
	.summary = "VMware: one file, split files, or a compressed stream",
	.counts_files = true,
	.other_files = ROLE_EXTENT,
	.instance_bytes = sizeof(struct vmdk_image),
	.probe = vmdk_probe,
	.open = vmdk_open,
	.close = vmdk_close,
	.load = vmdk_load,
	.describe = vmdk_describe,
	.step = vmdk_step,
	.create = {
		.options = vmdk_create_options,
		.backing = true,
		.plan = vmdk_plan,
		.measure = vmdk_measure,
		.write_files = vmdk_write_files,
		.resumable = vmdk_resumable,
		.changed_end_bytes = vmdk_changed_end_bytes,
	},
	.check = { .check = vmdk_check, .repair = vmdk_repair },
	.change.write_compressed = vmdk_stream_write_compressed,
};
