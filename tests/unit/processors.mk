# SPDX-License-Identifier: BSD-2-Clause
# Part of the Makefile: the unit tests on another processor, ARCH, in build/test-ARCH/. They are
# programs for Linux as those in build/test/ are, without sanitizers and linked statically: QEMU's
# user mode runs them. No package has cmocka and zlib for each of these processors, so both are
# built here, from Debian's sources.
#
# Of the flags of the firmware (efi/processors.mk) those count that choose instructions. Numbers of
# 64 bits are aligned to 4 bytes on ia32 here, as its C library expects; in the firmware they are
# to 8. No program has a time limit: on a busy machine one of a second takes a minute.

UNIT_FLAGS_ia32 := -msse2 -D_FILE_OFFSET_BITS=64
UNIT_FLAGS_aarch64 := -mno-outline-atomics
UNIT_FLAGS_riscv64 := -march=rv64gc -mabi=lp64d
# The kernel of an x86-64 machine can run programs for ia32, if it was built so: the dynamic loader
# of their C library is one.
EMULATOR_ia32 = $(shell /usr/i686-linux-gnu/lib/ld-linux.so.2 --version >/dev/null 2>&1 || \
	echo qemu-i386)
EMULATOR_x86_64 := qemu-x86_64
EMULATOR_aarch64 := qemu-aarch64
EMULATOR_riscv64 := qemu-riscv64

# Those whose result can depend on the processor: numbers and sizes, kernels, threads, and images
# and partition tables, some of them compressed. Each takes seconds.
UNIT_SHORT := test_archive test_cloop test_crc32 test_dmg test_fat test_gpt test_header test_json \
	test_mbr test_memory test_out test_pipeline test_posix test_qcow test_qed test_range \
	test_raw test_refcount test_sectors test_sha256 test_size test_space test_stack test_text \
	test_types test_utf test_vdi test_vhdx test_vmdk test_zero

# Those of `make test`: that whose lengths of memory differ. The others take as long again.
test-unit-arch: UNIT_ARCHES := ia32
test-unit-arch-whole: UNIT_ARCHES := aarch64 ia32 riscv64

.PHONY: test-unit-arch test-unit-arch-whole
ifeq ($(ARCH),$(HOST_ARCH))

test-unit-arch test-unit-arch-whole:
	@for arch in $(filter-out $(HOST_ARCH),$(UNIT_ARCHES)); do \
		$(MAKE) --no-print-directory ARCH=$$arch $@ || exit; done

else

UNIT_FOLDER := build/test-$(ARCH)
UNIT_FETCHED := $(SOURCES)/fetched-for-tests
CMOCKA := $(SOURCES)/cmocka/src/cmocka.c
ZLIB := $(patsubst %,$(SOURCES)/zlib/%.c,adler32 compress crc32 deflate inffast inflate \
	inftrees trees zutil)

$(UNIT_FETCHED): scripts/fetch-sources | setup-unit-arch
	scripts/fetch-sources --tests
	@touch $@
$(CMOCKA) $(ZLIB): | $(UNIT_FETCHED) ;

UNIT_ARCH := $(ARCH)
UNIT_FLAGS := $(UNIT_FLAGS_$(ARCH)) -Wno-frame-larger-than
UNIT_OUTSIDE = $(TEST_OUTSIDE) $(addprefix -isystem $(SOURCES)/,cmocka/include zlib)
UNIT_SIM := $(TRIAL) $(CONTRACT) $(call memory,$(ARCH))
$(eval $(call tree,UNIT,$(UNIT_FOLDER),unit-arch,$(TRIPLET_$(ARCH))-gcc))
$(UNIT_FOLDER)/%: OPTIMIZE := -O1
# Tests have all bytes of their files and disks in memory, with lengths of 64 bits.
$(UNIT_FOLDER)/tests/%: FLAGS += -Wno-conversion
# Otherwise libdeflate asks Linux what an aarch64 can do, by a source that is not compiled.
$(UNIT_FOLDER)/$(SOURCES)/libdeflate/%: FLAGS += -U__linux__
$(UNIT_FOLDER)/%: NASM_FORMAT := $(NASM_FORMAT_$(ARCH))
$(eval $(call renamed,$(UNIT_FOLDER),$(ARCH)))
$(eval $(call unit_programs,$(UNIT_FOLDER),-static -L$(UNIT_FOLDER),$(ARCH)))
UNIT_PROGRAMS := $(addprefix $(UNIT_FOLDER)/,$(call units,$(ARCH)) test_posix)
$(UNIT_PROGRAMS): | $(addprefix $(UNIT_FOLDER)/,libcmocka.a libz.a)

UNIT_LIBRARIES := $(call objects,$(UNIT_FOLDER),$(CMOCKA) $(ZLIB))
$(UNIT_LIBRARIES): FLAGS = -O2 -w -D_GNU_SOURCE -isystem $(SOURCES)/cmocka/include \
	-DHAVE_SIGNAL_H -DHAVE_INTTYPES_H -DHAVE_STRUCT_TIMESPEC -DHAVE_CLOCK_REALTIME
$(UNIT_FOLDER)/libcmocka.a: $(call objects,$(UNIT_FOLDER),$(CMOCKA))
$(UNIT_FOLDER)/libz.a: $(call objects,$(UNIT_FOLDER),$(ZLIB))
# Both have the headers of the tests.
$(patsubst %.c,$(UNIT_FOLDER)/%.o,$(wildcard tests/*/*.c)): | $(UNIT_FETCHED)

# The Linux program, and a script that runs it.
$(UNIT_FOLDER)/efi-img.elf: $(call objects,$(UNIT_FOLDER),$(HOST) build/gen/version.c) \
		$(UNIT_FOLDER)/core.a
	$(call step,LD )
	$(CC) -static $^ -o $@
$(UNIT_FOLDER)/efi-img: $(UNIT_FOLDER)/efi-img.elf
	printf '#!/bin/sh\nexec %s "$$0.elf" "$$@"\n' '$(EMULATOR_$(ARCH))' >$@
	chmod +x $@

# Disks of 8 TiB, where a length of memory has 32 bits.
.PHONY: test-large
test-large: $(UNIT_FOLDER)/efi-img | setup-test
	EFI_IMG=$(CURDIR)/$< $(PYTEST) -n 2 --basetemp=build/large tests/differential/test_large.py

$(if $(filter ia32,$(ARCH)),test-unit-arch test-unit-arch-whole: test-large)
unit_arch_programs = $(addprefix $(UNIT_FOLDER)/,$(filter $(1),$(call units,$(ARCH)) test_posix))
test-unit-arch: $(call unit_arch_programs,$(UNIT_SHORT))
test-unit-arch-whole: $(call unit_arch_programs,$(call quick,$(ARCH)))
test-unit-arch test-unit-arch-whole:
	$(call run_programs,$(filter $(UNIT_FOLDER)/%,$^),$(EMULATOR_$(ARCH)))
	@echo "$(ARCH): $(call count_tests,$(filter $(UNIT_FOLDER)/%,$^)) unit tests in" \
		"$(words $(filter $(UNIT_FOLDER)/%,$^)) programs passed"

endif
