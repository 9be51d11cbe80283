/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What zstd can leave out, included ahead of its unchanged sources in compress/ (-include): long
 * distance matching, blocks of a target size, and each variant that searches in a dictionary or in
 * a buffer apart from the input. core/codec/zstd.c compresses one buffer of at most
 * CODEC_INPUT_MAX, without a dictionary; none of them ever runs. But zstd_compress.c names all of
 * them, in its table of variants and in branches that depend on parameters, so that the linker
 * must keep them.
 *
 * A function that C has seen declared static first stays static, whatever later declarations say.
 * So each variant becomes a static function of each file. The file that defines it loses it,
 * because nothing in there calls it; zstd_compress.c, which is compiled with ZSTD_STAND_INS, gets a
 * stand-in that panics.
 *
 * zstd_compress.c is also compiled with -fwhole-program: only the functions at the end of this
 * header can be called from outside, each without a dictionary, and the compiler removes what
 * depends on one.
 */
#include <compress/zstd_compress_internal.h>

#include "base/check.h"

#if ZSTD_VERSION_NUMBER >= 10507
typedef ZSTD_MatchState_t ZSTD_matchState_t;
typedef SeqStore_t seqStore_t;
#endif

#ifdef ZSTD_STAND_INS
#include <compress/zstd_compress_superblock.h>
#include <compress/zstd_ldm.h>

static inline size_t zstd_stand_in(void)
{
	CHECK(!"this part of zstd is used");
	return 0;
}

/* Without long distance matching it has no tables, and finds nothing that could be skipped. */
#define ZSTD_ldm_skipRawSeqStoreBytes(...) ((void)0)
#define ZSTD_ldm_skipSequences(...)        ((void)0)
#define ZSTD_ldm_getTableSize(...)         ((size_t)0)
#define ZSTD_ldm_getMaxNbSeq(...)          ((size_t)0)
#define ZSTD_ldm_adjustParameters(...)     zstd_stand_in()
#define ZSTD_ldm_blockCompress(...)        zstd_stand_in()
#define ZSTD_ldm_fillHashTable(...)        zstd_stand_in()
#define ZSTD_ldm_generateSequences(...)    zstd_stand_in()
#define ZSTD_compressSuperBlock(...)       zstd_stand_in()
#define ZSTD_UNUSED_BODY \
	{ \
		return zstd_stand_in(); \
	}
#else
#define ZSTD_UNUSED_BODY ;
#endif

#define ZSTD_UNUSED(variant) \
	static size_t ZSTD_compressBlock_##variant(ZSTD_matchState_t *state, seqStore_t *store, \
						   U32 rep[ZSTD_REP_NUM], const void *in, \
						   size_t in_len) ZSTD_UNUSED_BODY

/* clang-format off */
ZSTD_UNUSED(fast_dictMatchState)
ZSTD_UNUSED(fast_extDict)
ZSTD_UNUSED(doubleFast_dictMatchState)
ZSTD_UNUSED(doubleFast_extDict)
ZSTD_UNUSED(greedy_dictMatchState)
ZSTD_UNUSED(greedy_dictMatchState_row)
ZSTD_UNUSED(greedy_dedicatedDictSearch)
ZSTD_UNUSED(greedy_dedicatedDictSearch_row)
ZSTD_UNUSED(greedy_extDict)
ZSTD_UNUSED(greedy_extDict_row)
ZSTD_UNUSED(lazy_dictMatchState)
ZSTD_UNUSED(lazy_dictMatchState_row)
ZSTD_UNUSED(lazy_dedicatedDictSearch)
ZSTD_UNUSED(lazy_dedicatedDictSearch_row)
ZSTD_UNUSED(lazy_extDict)
ZSTD_UNUSED(lazy_extDict_row)
ZSTD_UNUSED(lazy2_dictMatchState)
ZSTD_UNUSED(lazy2_dictMatchState_row)
ZSTD_UNUSED(lazy2_dedicatedDictSearch)
ZSTD_UNUSED(lazy2_dedicatedDictSearch_row)
ZSTD_UNUSED(lazy2_extDict)
ZSTD_UNUSED(lazy2_extDict_row)
ZSTD_UNUSED(btlazy2_dictMatchState)
ZSTD_UNUSED(btlazy2_extDict)
ZSTD_UNUSED(btopt_dictMatchState)
ZSTD_UNUSED(btopt_extDict)
ZSTD_UNUSED(btultra_dictMatchState)
ZSTD_UNUSED(btultra_extDict)
/* clang-format on */

#ifdef ZSTD_STAND_INS
#include <compress/zstd_double_fast.h>
#include <compress/zstd_fast.h>
#include <compress/zstd_lazy.h>
#include <compress/zstd_opt.h>

/* Only a dictionary is loaded by these. */
#define ZSTD_dedicatedDictSearch_lazy_loadDictionary(...) zstd_stand_in()
#define ZSTD_fillDoubleHashTable(...)                     zstd_stand_in()
#define ZSTD_fillHashTable(...)                           zstd_stand_in()
#define ZSTD_insertAndFindFirstIndex(...)                 zstd_stand_in()
#define ZSTD_row_update(...)                              zstd_stand_in()
#define ZSTD_updateTree(...)                              zstd_stand_in()

#define ZSTD_USED(function) __attribute__((externally_visible)) __typeof__(function) function

ZSTD_USED(ZSTD_compressCCtx);
ZSTD_USED(ZSTD_estimateCCtxSize_usingCParams);
ZSTD_USED(ZSTD_getCParams);
ZSTD_USED(ZSTD_initStaticCCtx);
ZSTD_USED(ZSTD_resetSeqStore);
#endif
