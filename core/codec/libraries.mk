# SPDX-License-Identifier: BSD-2-Clause
# Part of the Makefile: libdeflate, zstd and bzip2. Their unchanged sources are built as the core is,
# against the stand-ins of core/codec/include/ for headers of a C library. Each release of Debian or
# Ubuntu has other versions.

SOURCES := build/sources
RELEASE := $(shell scripts/fetch-sources --release)
FETCHED := $(SOURCES)/fetched-$(RELEASE)
LIBDEFLATE := utils.c deflate_compress.c deflate_decompress.c zlib_compress.c zlib_decompress.c \
	adler32.c x86/cpu_features.c
ZSTD := $(addprefix common/,entropy_common.c error_private.c fse_decompress.c xxhash.c \
		zstd_common.c) \
	$(addprefix compress/,fse_compress.c hist.c huf_compress.c zstd_compress.c \
		zstd_compress_literals.c zstd_compress_sequences.c zstd_double_fast.c zstd_fast.c \
		zstd_lazy.c zstd_opt.c $(if $(filter trixie,$(RELEASE)),zstd_preSplit.c)) \
	$(addprefix decompress/,huf_decompress.c zstd_ddict.c zstd_decompress.c \
		zstd_decompress_block.c)
# The linker leaves out what compresses.
BZIP2 := blocksort.c bzlib.c compress.c crctable.c decompress.c huffman.c randtable.c
LIBRARIES := $(addprefix $(SOURCES)/libdeflate/lib/,$(LIBDEFLATE)) \
	$(addprefix $(SOURCES)/libzstd/lib/,$(ZSTD)) $(addprefix $(SOURCES)/bzip2/,$(BZIP2))
# Those for a processor: others than x86 need not be asked for their instructions.
libraries = $(filter-out %/cpu_features.c,$(LIBRARIES)) \
	$(filter %/$(CPU_FEATURES_$(1)),$(LIBRARIES))
# Compression levels that are used only on request are built for size: 28 KiB instead of 274.
RARE := $(filter %/zstd_fast.c %/zstd_lazy.c %/zstd_opt.c,$(LIBRARIES))
# What includes headers of the libraries.
ADAPTERS := $(filter core/codec/%,$(CORE)) build/gen/version.c

$(FETCHED): scripts/fetch-sources | setup-build
	scripts/fetch-sources
	@touch $@
$(LIBRARIES): | $(FETCHED) ;

CODEC_INCLUDES := $(addprefix -isystem ,core/codec/include $(SOURCES)/libdeflate \
	$(SOURCES)/libzstd/lib $(SOURCES)/bzip2) -DBZ_NO_STDIO
LIBRARY_FLAGS = $(filter-out -W% -MMD -MP,$(CORE_FLAGS)) -w $(CODEC_INCLUDES) \
	-ffunction-sections -fdata-sections -DXXH_NAMESPACE=ZSTD_ -DZSTD_DISABLE_ASM \
	-DZSTD_LEGACY_SUPPORT=0 -DZSTD_TRACE=0 -DZSTD_STRIP_ERROR_STRINGS=1 -DDEBUGLEVEL=0 \
	-DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT

# $(call library_tree,NAME,FOLDER): how a tree of objects (see the Makefile) has the libraries. The
# headers *_parts.h take out what this program never calls.
define library_tree
$(2)/$(SOURCES)/%: FLAGS = $$(LIBRARY_FLAGS) $$($(1)_FLAGS)
$(2)/$(SOURCES)/%: OPTIMIZE := -O2
$(2)/$(SOURCES)/libzstd/lib/compress/%: INCLUDES := -include zstd_parts.h
$(2)/$(SOURCES)/libzstd/lib/compress/zstd_compress.o: INCLUDES := -include zstd_parts.h \
	-DZSTD_STAND_INS -fwhole-program
$(2)/$(SOURCES)/libdeflate/lib/deflate_compress.o: INCLUDES := -include deflate_parts.h \
	-DDEFLATE_PARTS
$(call objects,$(2),$(RARE)): OPTIMIZE := -Os -DZSTD_NO_INLINE=1
$(call objects,$(2),$(ADAPTERS)): INCLUDES := $(CODEC_INCLUDES)
$(call objects,$(2),$(ADAPTERS) $(LIBRARIES)): $(FETCHED)
$(call objects,$(2),$(LIBRARIES)): $(wildcard core/codec/include/*.h)
endef
