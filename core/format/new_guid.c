/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GUIDs that did not exist before. Firmware has no random numbers everywhere, so the hash of what
 * differs from image to image takes their place: the time of day, the time since the start, which
 * is exact to some microseconds, and the name.
 */
#include "format/new_guid.h"

#include "base/memory.h"
#include "base/text.h"
#include "codec/sha256.h"
#include "platform/clock.h"

void new_guid(const char *name, unsigned n, struct guid *ret)
{
	uint64_t running_ns = platform_nanoseconds();
	uint8_t hash[SHA256_BYTES];
	uint32_t nanoseconds;
	int64_t seconds;
	struct sha256 sha;

	(void)platform_time(&seconds, &nanoseconds); /* without a clock, the other one runs */
	sha256_begin(&sha);
	sha256_add(&sha, &seconds, sizeof seconds);
	sha256_add(&sha, &nanoseconds, sizeof nanoseconds);
	sha256_add(&sha, &running_ns, sizeof running_ns);
	sha256_add(&sha, &n, sizeof n);
	sha256_add(&sha, name, text_length(name));
	sha256_end(&sha, hash);
	memcpy(ret->b, hash, sizeof ret->b);
	ret->b[7] = (uint8_t)((ret->b[7] & 0x0f) | 0x40); /* the third field is little-endian */
	ret->b[8] = (uint8_t)((ret->b[8] & 0x3f) | 0x80);
}
