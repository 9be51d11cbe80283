/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `info` says of an encrypted image: its LUKS1 header (LUKS On-Disk Format Specification
 * 1.2.3, section 2.1), which begins at the place that the image's encryption extension names.
 * Nothing is decrypted.
 */
#include "base/memory.h"
#include "base/out.h"
#include "base/qemu_img.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/qcow2.h"

struct disk_slot {
	be32 active, iters;
	uint8_t salt[32];
	be32 key_sector, stripes;
};
_Static_assert(sizeof(struct disk_slot) == 48, "");

struct disk_luks {
	uint8_t magic[6];
	uint8_t version[2];
	char cipher_name[32], cipher_mode[32], hash[32];
	be32 payload_sector, key_bytes;
	uint8_t digest[20], salt[32];
	be32 iters;
	char uuid[40];
	struct disk_slot slot[LUKS_SLOTS];
};
_Static_assert(sizeof(struct disk_luks) == 592, "");
_Static_assert(offsetof(struct disk_luks, payload_sector) == 104, "");
_Static_assert(offsetof(struct disk_luks, uuid) == 168, "");

enum { SLOT_ACTIVE = 0x00ac71f3, SECTOR_BYTES = 512 };

/*
 * "xts-plain64" is a mode and how initial vectors are made, "cbc-essiv:sha256" has a hash for them
 * as well.
 */
static void split_mode(const char *text, size_t n, struct qcow2_luks *luks)
{
	char *const part[] = { luks->cipher_mode, luks->ivgen_alg, luks->ivgen_hash_alg };
	size_t which = 0, length = 0;

	for (size_t i = 0; i < n && text[i] != '\0'; i++) {
		if ((which == 0 && text[i] == '-') || (which == 1 && text[i] == ':')) {
			which++;
			length = 0;
			continue;
		}
		part[which][length++] = text[i];
	}
}

/* QEMU's name of a cipher has the length of its key, of which mode xts takes two. */
static void name_cipher(const struct disk_luks *disk, struct qcow2_luks *luks)
{
	uint32_t bits = be32_get(disk->key_bytes) * 8u /
			(text_equal(luks->cipher_mode, "xts") ? 2 : 1);
	struct out_buffer name;

	out_buffer_init(&name, luks->cipher_alg, sizeof luks->cipher_alg);
	out_printf(&name.out, "%.32s-%u", disk->cipher_name, bits);
}

enum status qcow2_luks_read(struct blk *file, const struct qcow2_header *header,
			    struct qcow2_luks *ret, struct error *err)
{
	static const uint8_t magic[] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };
	struct disk_luks disk;
	enum status st;

	if (header->luks.bytes < sizeof disk)
		return fail(err, ST_CORRUPT,
			    "the image is encrypted with LUKS, but its encryption header has only "
			    "%ju bytes",
			    header->luks.bytes);
	st = blk_read_padded(file, header->luks.offset, &disk, sizeof disk);
	if (st != ST_OK)
		return fail(err, st, "reading the LUKS header: %s", status_text(st));
	if (memcmp(disk.magic, magic, sizeof magic) != 0 || bytes_from_be(disk.version, 2) != 1)
		return fail(err, ST_CORRUPT, "there is no LUKS1 header at 0x%jx",
			    header->luks.offset);
	if (be32_get(disk.key_bytes) > 1024)
		return fail(err, ST_CORRUPT, "the LUKS header says that the key has %u bytes",
			    be32_get(disk.key_bytes));

	*ret = (struct qcow2_luks){ 0 };
	split_mode(disk.cipher_mode, sizeof disk.cipher_mode, ret);
	name_cipher(&disk, ret);
	memcpy(ret->hash_alg, disk.hash, sizeof disk.hash);
	memcpy(ret->uuid, disk.uuid, sizeof disk.uuid);
	ret->payload_offset = (uint64_t)be32_get(disk.payload_sector) * SECTOR_BYTES;
	ret->master_key_iters = be32_get(disk.iters);
	for (int i = 0; i < LUKS_SLOTS; i++) {
		ret->slot[i].active = be32_get(disk.slot[i].active) == SLOT_ACTIVE;
		ret->slot[i].iters = be32_get(disk.slot[i].iters);
		ret->slot[i].stripes = be32_get(disk.slot[i].stripes);
		ret->slot[i].key_offset = (uint64_t)be32_get(disk.slot[i].key_sector) *
					  SECTOR_BYTES;
	}
	return ST_OK;
}

void qcow2_luks_describe(const struct qcow2_luks *luks, struct tree *tree)
{
	tree_text(tree, "ivgen-alg", luks->ivgen_alg);
	if (QEMU_IMG_TELLS_DETACHED_HEADER)
		tree_bool(tree, "detached-header", false); /* it is in the image */
	tree_text(tree, "hash-alg", luks->hash_alg);
	tree_text(tree, "cipher-alg", luks->cipher_alg);
	tree_text(tree, "uuid", luks->uuid);
	if (luks->ivgen_hash_alg[0] != '\0')
		tree_text(tree, "ivgen-hash-alg", luks->ivgen_hash_alg);
	tree_text(tree, "format", "luks");
	tree_text(tree, "cipher-mode", luks->cipher_mode);
	tree_array(tree, "slots");
	for (int i = 0; i < LUKS_SLOTS; i++) {
		tree_object(tree, NULL);
		tree_bool(tree, "active", luks->slot[i].active);
		if (luks->slot[i].active)
			tree_number(tree, "iters", luks->slot[i].iters);
		tree_number(tree, "key-offset", luks->slot[i].key_offset);
		if (luks->slot[i].active)
			tree_number(tree, "stripes", luks->slot[i].stripes);
		tree_end(tree);
	}
	tree_end(tree);
	tree_number(tree, "payload-offset", luks->payload_offset);
	tree_number(tree, "master-key-iters", luks->master_key_iters);
}
