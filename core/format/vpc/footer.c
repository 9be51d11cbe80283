/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The footer of a VHD: its checksum, the size of the disk, and the footer of a new image.
 *
 * A footer has the size of the disk twice: as a number of bytes, and as a geometry whose product is
 * mostly a little smaller. Virtual PC, and QEMU at first, took the geometry; Hyper-V and all others
 * take the bytes. The program that made the image is named in it, and decides; a geometry that is
 * the largest there is cannot be meant.
 *
 * The field of the creator of a new image is QEMU's: "qem2" where the bytes count, "qemu" where the
 * geometry does. Other readers know these two, and take the size of an image by a creator that
 * they do not know from the geometry.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/new_guid.h"
#include "format/vpc/vpc.h"
#include "platform/clock.h"

enum { MIB = 1 << 20 };

uint32_t vpc_checksum(const void *bytes, size_t n, size_t field)
{
	const uint8_t *b = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (i < field || i >= field + sizeof(be32))
			sum += b[i];
	return ~sum;
}

static uint32_t footer_checksum(const struct vpc_footer *footer)
{
	return vpc_checksum(footer, sizeof *footer, offsetof(struct vpc_footer, checksum));
}

enum vpc_found vpc_judge_footer(const struct vpc_footer *footer)
{
	if (memcmp(footer->cookie, VPC_COOKIE, sizeof footer->cookie) != 0)
		return VPC_NONE;
	return be32_get(footer->checksum) == footer_checksum(footer) ? VPC_GOOD : VPC_WRONG_SUM;
}

void vpc_seal_footer(struct vpc_footer *footer)
{
	footer->checksum = be32_of(footer_checksum(footer));
}

/* ---- size and geometry ---- */

struct geometry {
	uint64_t cylinders, heads, sectors;
};

static const struct geometry largest = { VPC_MAX_CYLINDERS, VPC_MAX_HEADS, VPC_MAX_SECTORS };

static uint64_t product(const struct geometry *g)
{
	return g->cylinders * g->heads * g->sectors;
}

static void set_geometry(struct vpc_footer *footer, const struct geometry *g)
{
	bytes_to_be(footer->cylinders.b, sizeof footer->cylinders.b, g->cylinders);
	footer->heads = (uint8_t)g->heads;
	footer->sectors = (uint8_t)g->sectors;
}

void vpc_set_largest_geometry(struct vpc_footer *footer)
{
	set_geometry(footer, &largest);
}

uint64_t vpc_disk_bytes(const struct vpc_footer *footer)
{
	/* VirtualBox writes a geometry too, and goes by the bytes */
	static const char by_bytes[][4] = { "win ", "qem2", "d2v ", "tap\0", "CTXS", "vbox" };
	struct geometry g = { be16_get(footer->cylinders), footer->heads, footer->sectors };
	bool bytes = product(&g) == product(&largest);

	for (size_t i = 0; i < sizeof by_bytes / sizeof *by_bytes; i++)
		bytes = bytes || memcmp(footer->creator, by_bytes[i], sizeof *by_bytes) == 0;
	return bytes ? round_down(be64_get(footer->disk_bytes), VPC_SECTOR)
		     : product(&g) * VPC_SECTOR;
}

/* The geometry for a number of sectors: "CHS Calculation" of the specification. */
static struct geometry geometry_of(uint64_t n)
{
	struct geometry g = { .heads = 16 };
	uint64_t tracks;

	if (n == 0)
		return (struct geometry){ 0 };
	n = min_u64(n, product(&largest));
	if (n >= (uint64_t)VPC_MAX_CYLINDERS * 16 * 63) {
		g.sectors = 255;
		tracks = n / 255;
	} else {
		g.sectors = 17;
		tracks = n / 17;
		g.heads = max_u64(4, div_up(tracks, 1024));
		if (tracks >= g.heads * 1024 || g.heads > 16) {
			g.sectors = 31;
			g.heads = 16;
			tracks = n / 31;
		}
		if (tracks >= g.heads * 1024) {
			g.sectors = 63;
			g.heads = 16;
			tracks = n / 63;
		}
	}
	g.cylinders = tracks / g.heads;
	return g;
}

/* The geometry of a new disk, and the size that it then has. */
static enum status choose_size(const struct create_request *request, struct geometry *ret,
			       uint64_t *ret_bytes, struct error *err)
{
	const struct create_value *force = create_value(request->options, "force_size");
	uint64_t bytes = request->size, n;

	*ret = largest;
	if (force->text != NULL && !force->on) {
		n = min_u64(bytes / VPC_SECTOR, product(&largest));
		*ret = geometry_of(n);
		while (product(ret) < min_u64(bytes / VPC_SECTOR, product(&largest)))
			*ret = geometry_of(++n);
		if (product(ret) < product(&largest))
			bytes = product(ret) * VPC_SECTOR;
	} else if (force->text == NULL && vpc_is_fixed(request)) {
		bytes = bytes <= VPC_MAX_BYTES ? round_up(bytes, MIB) : bytes;
	}
	*ret_bytes = bytes;
	return bytes <= VPC_MAX_BYTES ? ST_OK
				      : fail(err, ST_TOO_LARGE,
					     "a disk of %ju bytes is more than the 2040 GiB that a "
					     "VHD can have; choose "
					     "vhdx or qcow2",
					     bytes);
}

enum status vpc_new_size(const struct create_request *request, uint64_t *ret, struct error *err)
{
	struct geometry geometry;

	return choose_size(request, &geometry, ret, err);
}

/* ---- a new footer ---- */

/* The fields of a UUID are big-endian here, and little-endian in a struct guid. */
static void new_uuid(const char *name, uint8_t ret[static 16])
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct guid guid;

	new_guid(name, 0, &guid);
	for (size_t i = 0; i < sizeof order; i++)
		ret[i] = guid.b[order[i]];
}

/* Seconds since the year 2000; 0: the machine has no valid time, or one before that. */
static uint32_t time_now(void)
{
	uint32_t nanoseconds;
	int64_t seconds;

	if (!platform_time(&seconds, &nanoseconds) || seconds < VPC_TIME_ZERO ||
	    seconds - VPC_TIME_ZERO > UINT32_MAX)
		return 0;
	return (uint32_t)(seconds - VPC_TIME_ZERO);
}

enum status vpc_new_footer(const struct create_request *request, struct vpc_footer *ret,
			   struct error *err)
{
	bool fixed = vpc_is_fixed(request);
	struct vpc_footer footer = {
		.cookie = VPC_COOKIE,
		.features = be32_of(VPC_FEATURES),
		.version = be32_of(VPC_VERSION),
		.header_at = be64_of(fixed ? VPC_NO_OFFSET : VPC_FOOTER_BYTES),
		.time = be32_of(time_now()),
		.creator = "qem2",
		.creator_version = be32_of(0x00050003),
		.host = "Wi2k",
		.type = be32_of(fixed ? VPC_FIXED : VPC_DYNAMIC),
	};
	struct geometry geometry;
	uint64_t bytes;
	enum status st = choose_size(request, &geometry, &bytes, err);

	if (st != ST_OK)
		return st;
	set_geometry(&footer, &geometry);
	if (create_value(request->options, "force_size")->text != NULL &&
	    !create_value(request->options, "force_size")->on)
		memcpy(footer.creator, "qemu", sizeof footer.creator);
	footer.original_bytes = footer.disk_bytes = be64_of(bytes);
	new_uuid(request->file_name, footer.uuid);
	vpc_seal_footer(&footer);
	*ret = footer;
	return ST_OK;
}
