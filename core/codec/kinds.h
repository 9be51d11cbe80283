/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "codec/codec.h"

/*
 * What a kind of compression implements, by the contracts of codec.h. Only codec.c and the kinds
 * include this. The structure of each kind begins with its struct codec.
 */
struct codec {
	enum status (*compress)(struct codec *, const void *in, size_t in_len, void *out,
				size_t capacity, size_t *ret_len);
	enum status (*decompress)(struct codec *, const void *in, size_t in_len, void *out,
				  size_t out_len);
	void (*close)(struct codec *);
	int level;
};

struct codec *deflate_open(int level);
struct codec *zlib_open(int level);
struct codec *zstd_open(int level);
struct codec *bzip2_open(void);
