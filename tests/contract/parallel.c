/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads that read a blk at once, where it says that they may. */
#include <pthread.h>

#include "base/check.h"
#include "base/memory.h"
#include "contract.h"

struct reader {
	pthread_t thread;
	const struct subject *s;
	uint32_t state;
	uint8_t *buf; /* as the blk wants it: BLOCK bytes */
	bool wrong;
};

static void *read_blocks(void *arg)
{
	struct reader *reader = arg;

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t at = random_next(&reader->state) % (SIZE / BLOCK) * BLOCK;

		if (blk_read(reader->s->blk, at, reader->buf, BLOCK) != ST_OK ||
		    memcmp(reader->buf, reader->s->expected + at, BLOCK) != 0)
			reader->wrong = true;
	}
	return NULL;
}

void read_in_parallel(struct subject *s)
{
	struct reader reader[4];

	if (!s->blk->parallel_reads)
		return;
	for (size_t i = 0; i < N_OF(reader); i++) {
		reader[i] = (struct reader){ .s = s, .state = (uint32_t)i, .buf = io_alloc(BLOCK) };
		CHECK(pthread_create(&reader[i].thread, NULL, read_blocks, &reader[i]) == 0);
	}
	for (size_t i = 0; i < N_OF(reader); i++) {
		pthread_join(reader[i].thread, NULL);
		check(!reader[i].wrong, s, "what several processors read", i, 0);
		io_free(reader[i].buf, BLOCK);
	}
}
