# SPDX-License-Identifier: BSD-2-Clause
# efi-img. Everything is built below build/. `make help` prints the lines that begin with ##.
##
## Times are those of a machine with two cores.
##

.DEFAULT_GOAL := program
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
export PATH := $(PATH):/usr/sbin:/sbin # sgdisk and fsck.fat are not on everyone's path

# One line per step; `make V=1` shows the commands themselves.
step = @echo "  $(1)  $(or $(2),$@)"
ifneq ($(V),1)
.SILENT:
endif

PYTHON := /usr/bin/python3
# What tests write is looked at at once and then removed: fsync() has nothing to do (eatmydata).
PYTEST := eatmydata $(PYTHON) -B -m pytest -q -p no:cacheprovider --tb=short

# ---- the processor ------------------------------------------------------------------------------

# That of this machine, where programs for Linux run, and that of the firmware, ARCH.
HOST_ARCH := $(shell uname -m)
include efi/processors.mk
FRAGMENTS := core/codec/libraries.mk efi/processors.mk tests/unit/processors.mk tests/bench/bench.mk
B := build/$(ARCH)

# ---- sources ------------------------------------------------------------------------------------

FORMATS := $(sort $(notdir $(patsubst %/,%,$(wildcard core/format/*/))))
COMMANDS := $(sort $(basename $(notdir $(wildcard core/command/*.c))))
GENERATED := build/gen/formats.c build/gen/commands.c
CORE := $(sort $(wildcard core/*/*.c core/format/*/*.c)) $(GENERATED)
# The kernels in plain C, and the choice among them and those of a processor, if it has a folder.
kernels = $(filter-out %/arch.c,$(wildcard core/arch/generic/*.c)) \
	$(or $(wildcard core/arch/$(1)/*.c core/arch/$(1)/*.asm),core/arch/generic/arch.c)
FIRMWARE := $(sort $(wildcard drivers/uefi/*.c efi/*.c $(ARCH_FOLDERS:%=%/*.c) \
	$(ARCH_FOLDERS:%=%/*.asm)))
HOST := $(sort $(wildcard drivers/posix/*.c))
# What of the firmware's hardware.h is tested here, under names that are not those of the C library.
memory = $(wildcard drivers/arch/$(1)/memory.asm drivers/arch/$(1)/stack.asm) \
	drivers/arch/generic/memory.c
# Formats that only tests have, to prove the interface of core/format/, and the list with them.
DOUBLES := $(sort $(wildcard tests/doubles/*/*.c)) build/gen/formats_and_doubles.c
SIM := $(sort $(wildcard tests/sim/*.c))
TRIAL := $(sort $(wildcard tests/trial/*.c))
CONTRACT := tests/contract/contract.c tests/contract/parallel.c
units = $(filter-out $(if $(filter %/stack.asm,$(call memory,$(1))),,test_stack),\
	$(sort $(notdir $(basename $(wildcard tests/unit/test_*.c)))))
UNIT := $(call units,$(HOST_ARCH))

include core/codec/libraries.mk

# ---- generated sources --------------------------------------------------------------------------

# $(call keep,COMMAND): makes $@ of what the command prints, anew only when that changes. Two makes
# at once, as tests of the Makefile are, do not meet: each writes a file of its own.
keep = mkdir -p $(@D) && $(1) >$@.$$$$ && { cmp -s $@.$$$$ $@ && rm $@.$$$$ || mv $@.$$$$ $@; }
# $(call list,TYPE,PREFIX,ARRAY,NAMES,HEADER): an array of pointers to the named objects.
list = { echo '/* Made by the Makefile from the names in core/. */'; echo '\#include "$(5)"'; \
	printf 'extern const struct $(1) $(2)_%s;\n' $(4); \
	echo 'const struct $(1) *const $(3)[] = {'; printf '\t&$(2)_%s,\n' $(4); \
	printf '\t0,\n};\n'; }

.PHONY: always
build/gen/formats.c: always
	$(call keep,$(call list,image_format,format,image_formats,$(FORMATS),format/image.h))
build/gen/formats_and_doubles.c: always
	$(call keep,$(call list,image_format,format,image_formats,$(sort $(FORMATS) \
		$(notdir $(patsubst %/,%,$(wildcard tests/doubles/*/)))),format/image.h))
build/gen/commands.c: always
	$(call keep,$(call list,command,command,commands,$(COMMANDS),cli/command.h))
build/gen/version.c: always
	$(call keep,scripts/version --c)
build/gen/sbat.csv: always
	$(call keep,scripts/version --sbat)

# ---- flags --------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes \
	-Wformat=2 -Wundef -Wframe-larger-than=4096 -Werror
OPTIMIZE := -O2
# The same tree gives the same bytes, wherever it is.
LANGUAGE = -std=gnu2x $(OPTIMIZE) -g -ffile-prefix-map=$(CURDIR)=. -MMD -MP $(WARNINGS)
FREESTANDING = $(LANGUAGE) -ffreestanding -fno-strict-aliasing

# The core sees the compiler's own headers and its own tree, nothing else.
CORE_FLAGS = $(FREESTANDING) -nostdinc -isystem $(shell $(CC) -print-file-name=include) -Icore

# ---- trees of objects ---------------------------------------------------------------------------

# A tree is all of it compiled with flags of its own into a folder of its own: core/blk/hold.c
# becomes FOLDER/core/blk/hold.o. NAME_FLAGS are for everything, NAME_CORE for the core alone, and
# NAME_OUTSIDE takes the place of the core's flags outside of it.
objects = $(addsuffix .o,$(addprefix $(1)/,$(basename $(2))))

# Assembler is the same in each tree: all follow the System V convention. nasm 2.16.03 can warn of
# references from code to constants, older versions do not know that warning. Without -g, with which
# nasm stores the folder that the tree is in.
NASM = nasm -f $(or $(NASM_FORMAT),elf64) -w+all -w-unknown-warning -w-reloc-rel -Werror

# $(call flags,NAME): all that decides how the sources of a tree are compiled. Objects depend on a
# file of it, so that other flags make them anew; where the tree lies is not in them. The lines of
# variables for some targets alone are taken as they are written.
here = $(subst $(CURDIR)=.,.,$(1))
flags = { echo '$(CC) $(call here,$(FLAGS))'; \
	echo '$(call here,$(CORE_FLAGS) $($(1)_FLAGS) $($(1)_CORE))'; \
	echo '$(call here,$(LIBRARY_FLAGS))'; echo '$(NASM) $($(1)_SIZE)'; \
	grep -hE '(OPTIMIZE|INCLUDES|NASM) [:+]?=' Makefile $(FRAGMENTS); }

# $(call tree,NAME,FOLDER,SET-UP,COMPILER): NAME_ARCH is the processor, if it is not this machine's.
define tree
$(2)/%: CC := $(4)
$(2)/%: FLAGS = $$($(1)_OUTSIDE) $$($(1)_FLAGS)
$(2)/core/% $(2)/build/gen/% $(2)/tests/doubles/%: FLAGS = $$(CORE_FLAGS) $$($(1)_FLAGS) \
	$$($(1)_CORE)
$(call library_tree,$(1),$(2))
$(2)/%.o: %.c $(2)/flags | setup-$(3)
	@mkdir -p $$(@D)
	$$(call step,CC ,$$<)
	$$(CC) $$(FLAGS) $$(INCLUDES) -c $$< -o $$@
$(2)/%.o: %.asm $(2)/flags | setup-$(3)
	@mkdir -p $$(@D)
	$$(call step,NASM,$$<)
	$$(NASM) $$< -o $$@
$(2)/flags: always
	$$(call keep,$$(call flags,$(1)))

$(2)/core.a: $(call objects,$(2),$(CORE) $(call kernels,$(or $($(1)_ARCH),$(HOST_ARCH))) \
		$(call libraries,$(or $($(1)_ARCH),$(HOST_ARCH))))
$(2)/sim.a: $(call objects,$(2),$(SIM) $($(1)_SIM))
$(2)/%.a:
	$$(call step,AR )
	rm -f $$@ && $$(AR) rcs $$@ $$^
endef

# Each function and constant is in a section of its own, of which the linker takes those that others
# refer to.
FIRMWARE_FLAGS := -ffunction-sections -fdata-sections -fpie -fvisibility=hidden -fshort-wchar \
	$(ARCH_FLAGS) -fno-stack-protector -fno-asynchronous-unwind-tables
FIRMWARE_OUTSIDE = $(FREESTANDING) -Icore -Idrivers/uefi -Idrivers/arch $(ARCH_FOLDERS:%=-I%) \
	-isystem /usr/include/efi -DGNU_EFI_USE_MS_ABI
$(B)/%: NASM_FORMAT := $(NASM_FORMAT_$(ARCH))
$(eval $(call tree,FIRMWARE,$(B),$(FIRMWARE_SETUP),$(FIRMWARE_CC)))

HOST_OUTSIDE = $(LANGUAGE) -D_GNU_SOURCE -Icore
$(eval $(call tree,HOST,build/host,build,$(CC)))

HOST_10_FLAGS := -DQEMU_IMG_VERSION=1000
HOST_10_OUTSIDE = $(HOST_OUTSIDE)
$(eval $(call tree,HOST_10,build/host-10,build,$(CC)))

TEST_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wno-frame-larger-than
TEST_OUTSIDE = $(HOST_OUTSIDE) -Itests/contract -Itests/sim -Itests/trial -Itests/unit
TEST_SIM := $(TRIAL) $(CONTRACT) $(call memory,$(HOST_ARCH))
$(eval $(call tree,TEST,build/test,unit,$(CC)))
build/test/% build/fuzz/%: OPTIMIZE := -O1

FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -fsanitize-coverage-ignorelist=tests/fuzz/unguided
FUZZ_CORE := -fsanitize=unsigned-shift-base,implicit-conversion
FUZZ_OUTSIDE = $(HOST_OUTSIDE) -Itests/sim
FUZZ_SIM := $(patsubst %,tests/fuzz/%.c,fuzz image poke seal sparse)
$(eval $(call tree,FUZZ,build/fuzz,fuzz,clang))
$(call objects,build/fuzz,$(CORE)): tests/fuzz/unguided

COVERAGE_FLAGS := -Wno-frame-larger-than
COVERAGE_CORE := --coverage -fprofile-update=atomic
COVERAGE_OUTSIDE = $(TEST_OUTSIDE)
COVERAGE_SIM := $(TEST_SIM)
$(eval $(call tree,COVERAGE,build/coverage,coverage,$(CC)))
build/coverage/core/%: OPTIMIZE := -O0
# $(call renamed,FOLDER,ARCH): what of hardware.h is tested.
define renamed
$(call objects,$(1),$(call memory,$(2))): NASM += --gprefix firmware_
$(call objects,$(1),$(call memory,$(2))): INCLUDES := \
	$(foreach name,cpy move set cmp,-Dmem$(name)=generic_mem$(name))
endef
$(foreach tree,test coverage,$(eval $(call renamed,build/$(tree),$(HOST_ARCH))))

# ---- set-up -------------------------------------------------------------------------------------

# Order-only, and quick when nothing is missing: installs what a target needs, or tells which
# packages to install.
SETUPS := $(addprefix setup-,build arch run machines dist unit unit-arch test screenshots fuzz \
	coverage lint release sign)
.PHONY: $(SETUPS)
$(SETUPS): setup-%:
	@scripts/setup $*

# ---- the program --------------------------------------------------------------------------------

## make              the UEFI program, build/x86_64/efi-img.efi (half a minute)
.PHONY: program
program: $(B)/efi-img.efi build/efi-img.man

# The limit of the program is 1 MiB. Outside of the folders FAST no time is spent, and in them none
# in files COLD, by whose names images are created, opened or described: that is once per image.
FAST := $(patsubst %,%/%,$(filter-out $(SLOW_$(ARCH)),\
	core/base core/arch core/blk core/codec core/format core/engine))
COLD := $(patsubst %,%.c,%/amend %/chain %/create %/create_options %/describe %/description \
	%/descriptor %/files %/footer %/foreign %/header %/header_change %/header_write \
	%/image_name %/load %/luks %/metadata %/open %/parent %/probe %/regions)
PROGRAM := $(CORE) $(call kernels,$(ARCH)) build/gen/version.c $(call libraries,$(ARCH)) \
	$(FIRMWARE)
FIRMWARE_SIZE := $(FAST) $(COLD)
$(call objects,$(B),$(filter-out $(FAST) $(SOURCES)/%,$(PROGRAM)) $(filter $(COLD),$(PROGRAM))): \
	OPTIMIZE := -Os

$(B)/drivers/arch/generic/memory.o: OPTIMIZE := -O2 -fno-tree-loop-distribute-patterns
$(B)/efi-img.elf: $(call objects,$(B),$(PROGRAM))
$(B)/%.elf: efi/program.lds
	$(link)
$(B)/efi-img.efi: build/gen/sbat.csv
$(B)/efi-img.efi: KIND := --sbat build/gen/sbat.csv
$(B)/%.efi: $(B)/%.elf scripts/elf-to-pe
	$(call step,EFI)
	$(PYTHON) -B scripts/elf-to-pe $(KIND) $< $@

## make all-arch     the same for each processor, build/ARCH/efi-img.efi: x86_64, aarch64, ia32,
##                   riscv64; `make ARCH=aarch64` for one of them
.PHONY: all-arch
all-arch:
	@for arch in $(ARCHES); do $(MAKE) --no-print-directory ARCH=$$arch program || exit; done

## make host         the same core as a Linux program, build/host/efi-img
.PHONY: host
host: build/host/efi-img

HOST_OBJECTS := $(call objects,build/host,$(CORE) $(call kernels,$(HOST_ARCH)) \
	build/gen/version.c $(call libraries,$(HOST_ARCH)))
build/host/efi-img: $(HOST_OBJECTS) $(call objects,build/host,$(HOST))
	$(call step,LD )
	$(CC) -Wl,--gc-sections $^ -o $@

# The same with the formats that only tests have.
build/host/efi-img-doubles: $(filter-out %/gen/formats.o,$(HOST_OBJECTS)) \
		$(call objects,build/host,$(DOUBLES) $(HOST))
	$(call step,LD )
	$(CC) -Wl,--gc-sections $^ -o $@

# The same with the output of qemu-img 10 (core/base/qemu_img.h).
BY_VERSION := $(patsubst ./%,%,$(shell grep -rl --include=*.c '"base/qemu_img.h"' core))
build/host-10/efi-img: $(filter-out $(call objects,build/host,$(BY_VERSION)),$(HOST_OBJECTS)) \
		$(call objects,build/host-10,$(BY_VERSION)) $(call objects,build/host,$(HOST))
	$(call step,LD )
	$(CC) -Wl,--gc-sections $^ -o $@

# The manual for the UEFI shell (`help efi-img`) and the man page, from the tables of the commands.
build/host/manual: build/host/scripts/manual.o
build/host/fs_map: build/host/tests/differential/fs_map.o
build/host/manual build/host/fs_map: $(HOST_OBJECTS) \
		$(call objects,build/host,$(filter-out %/main.c,$(HOST)))
	$(call step,LD )
	$(CC) -Wl,--gc-sections $^ -o $@
build/efi-img.man: build/host/manual
	$< shell >$@
build/efi-img.1: build/host/manual
	$< man >$@

## make install      that Linux program and its man page, below PREFIX=/usr/local (and DESTDIR)
PREFIX ?= /usr/local
.PHONY: install
install: build/host/efi-img build/efi-img.1
	install -D -m 755 build/host/efi-img $(DESTDIR)$(PREFIX)/bin/efi-img
	install -D -m 644 build/efi-img.1 $(DESTDIR)$(PREFIX)/share/man/man1/efi-img.1

## make usb          build/efi-img-usb.img, for dd onto a stick; SIZE=7G: with room for images
STICK := build/efi-img.man scripts/capture.nsh
.PHONY: usb
usb: build/efi-img-usb.img
build/gen/usb-size: always
	@$(call keep,echo $(SIZE))
build/efi-img-usb.img: $(B)/efi-img.efi $(STICK) scripts/make-usb build/gen/usb-size | setup-run
	scripts/make-usb $(if $(SIZE),-d $(SIZE)) $< $@ $(STICK)
	@echo "Write it to a stick with: dd if=$@ of=/dev/THE-STICK bs=4M conv=fsync"

## make dist         the files of a release for all processors, in build/dist/;
##                   DIST_ARCHES=x86_64: for that one
DIST_ARCHES ?= $(ARCHES)
.PHONY: dist
dist: build/host/efi-img build/efi-img.1 build/efi-img.man | setup-dist
	for arch in $(DIST_ARCHES); do \
		$(MAKE) --no-print-directory ARCH=$$arch program || exit; done
	$(call step,DIST,build/dist)
	rm -rf build/dist
	scripts/make-dist build/dist $(DIST_ARCHES)

include scripts/secure-boot.mk

## make run          boots it in QEMU and shows what it does there (half a minute)
.PHONY: run
run: $(B)/efi-img.efi | setup-run
	$(PYTHON) -B scripts/demo $<

## make screenshots  pictures of the menu and of Secure Boot, into docs/
.PHONY: screenshots
screenshots: $(B)/efi-img.efi build/firmware/trixie | setup-screenshots
	$(PYTHON) -B scripts/screenshots menu $< docs
	$(PYTHON) -B scripts/screenshots secure-boot $< docs

##
# ---- unit tests ---------------------------------------------------------------------------------

# The slowest: most of them enumerate power cuts or failures, or have long data compressed.
LONG := test_powercuts test_failures test_format_cuts test_format_failures test_poke \
	test_format_poke test_journal test_target test_workers test_rescue_map test_bzip2 \
	test_split test_vpc test_codec test_sequential test_blk_contract test_vhdx_log \
	test_deflate test_rename test_truncates test_damaged test_block_map test_used_cuts
quick = $(filter-out $(LONG),$(call units,$(1))) test_posix
QUICK := $(addprefix build/test/,$(call quick,$(HOST_ARCH)))

# Each tests/unit/test_*.c is a program, linked with the core and, as its platform, tests/sim/.
# $(call unit_programs,FOLDER,FLAGS,ARCH)
define unit_programs
$(addprefix $(1)/,$(call units,$(3))): $(1)/%: $(1)/tests/unit/%.o $(1)/core.a $(1)/sim.a
	$$(call step,LD )
	$$(CC) $(2) $$(filter %.o,$$^) -Wl,--start-group $(1)/core.a $(1)/sim.a -Wl,--end-group \
		-lcmocka -lm $$(ORACLE) -o $$@
# With drivers/posix/ as the platform.
$(1)/test_posix: $(call objects,$(1),$(filter-out %/main.c,$(HOST)) $(CONTRACT) \
		tests/contract/posix.c build/gen/version.c) $(1)/core.a
	$$(call step,LD )
	$$(CC) $(2) $$^ -lcmocka -o $$@
$(1)/test_blk_contract $(1)/test_format_cuts $(1)/test_format_failures: \
		$(call objects,$(1),$(DOUBLES))
$(1)/test_deflate $(1)/test_zlib: ORACLE := -lz
$(1)/test_workers: ORACLE := -Wl,--wrap=codec_compress
$(1)/test_failures $(1)/test_format_failures: ORACLE := -Wl,--wrap=image_close
endef
# Each change of the core links all of them, which takes GNU ld twice as long.
$(eval $(call unit_programs,build/test,$(TEST_FLAGS) -fuse-ld=lld,$(HOST_ARCH)))

# $(call run_programs,PROGRAMS,EMULATOR): two at a time, each with a log beside it.
run_programs = printf '%s\n' $(1) | xargs -P 2 -I {} sh -c '$(2) {} >{}.log 2>&1 || \
	{ grep -v -e RUN -e "  OK " {}.log | head -60; echo "FAILED: {}"; exit 1; }'
count_tests = $$(awk '/PASSED  \]/ { n += $$4 } END { print n }' $(1:%=%.log))

## make check        for every save: floors of the code, quick unit tests (under a minute after a
##                   change of one .c file, 2 after one of a header of all, or from nothing)
.PHONY: check layers
check:
	@scripts/check-layers
	@$(MAKE) --no-print-directory -j$$(nproc) $(QUICK)
	$(call run_programs,$(QUICK))
	@echo "$(call count_tests,$(QUICK)) quick unit tests in $(words $(QUICK)) programs passed"
layers: build/host/efi-img
	scripts/check-layers $(HOST_OBJECTS)

## make test-unit    all unit tests: each power cut, each failure; floors in objects (6 minutes)
.PHONY: test-unit
test-unit: $(LONG:%=build/test/%) $(QUICK) | layers
	$(call run_programs,$^)
	@echo "$(call count_tests,$^) unit tests in $(words $^) programs passed"

## make test-unit-arch  those of numbers and images on ia32, by qemu-user (1 minute), or on ARCH=
## make test-unit-arch-whole  all quick unit tests on ia32, aarch64 and riscv64
include tests/unit/processors.mk

## make test-planted mistakes in the order of writes, which the unit tests must find (1 minute)
.PHONY: test-planted
test-planted: $(UNIT:%=build/test/%)
	tests/planted/run $(CC) $(CORE_FLAGS) $(TEST_FLAGS) -O1

# ---- fuzzing ------------------------------------------------------------------------------------

# Each other tests/fuzz/*.c is a target of libFuzzer: the core, built by clang with more sanitizers
# than gcc has. `make fuzz` keeps what it finds in build/fuzz/.
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,\
	$(filter-out $(FUZZ_SIM),$(sort $(wildcard tests/fuzz/*.c))))
$(FUZZ): build/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/core.a build/fuzz/sim.a
	$(call step,LD )
	$(CC) $(subst fuzzer-no-link,fuzzer,$(FUZZ_FLAGS)) $< -Wl,--start-group \
		build/fuzz/core.a build/fuzz/sim.a -Wl,--end-group -o $@

## make test-fuzz    replays the corpus of the fuzz targets, tests/fuzz/corpus/ (1 minute)
.PHONY: test-fuzz
test-fuzz: $(FUZZ)
	printf '%s\n' $^ | xargs -P 2 -I {} tests/fuzz/run {} 0

## make fuzz         looks for inputs that break it, TIME=600 seconds per target, of one KIND=vhdx
.PHONY: fuzz
fuzz: TIME ?= 600
fuzz: $(FUZZ)
	printf '%s\n' $^ | xargs -P 2 -I {} tests/fuzz/run {} $(TIME) $(KIND)

## make soak         the tests that depend on seeds, with new ones, for TIME=3600 seconds
.PHONY: soak
soak: TIME ?= 3600
soak: $(UNIT:%=build/test/%) $(FUZZ) build/host/efi-img
	PYTHON="$(PYTHON)" tests/soak $(TIME) $(FUZZ)

# The tables of docs/TESTING.md, as the last `make test-unit` and `make test-fuzz` found them.
.PHONY: figures
figures:
	@scripts/figures $(FUZZ:%=%.log)

# ---- beside qemu-img ----------------------------------------------------------------------------

# The newer of the two versions that output is compared with.
build/qemu-img-10: scripts/fetch-qemu-img scripts/apt-lists | setup-test
	$(call step,QEMU)
	scripts/fetch-qemu-img $@

## make test-differential  the host program beside qemu-img (11 minutes)
DIFFERENTIAL := $(PYTEST) -n 2 --basetemp=build/differential tests/differential
PROGRAMS := build/host/efi-img build/host/efi-img-doubles build/host-10/efi-img build/host/fs_map \
	build/efi-img.1
.PHONY: test-differential test-differential-10
test-differential: $(PROGRAMS) build/qemu-img-10 | setup-test
	$(DIFFERENTIAL) --durations=10 --durations-min=5

## make test-whole   the same, with all cases of its enumerations (15 minutes)
.PHONY: test-whole
test-whole: $(PROGRAMS) build/qemu-img-10 | setup-test
	$(DIFFERENTIAL) --whole

## make test-differential-10  all of that beside qemu-img 10, where that is not the machine's own
test-differential-10: $(PROGRAMS) build/qemu-img-10 | setup-test
	PATH="$(CURDIR)/build/qemu-img-10:$$PATH" $(DIFFERENTIAL)

# ---- in firmware --------------------------------------------------------------------------------

# Two minutes, and 100 MB of packages: made again only when how it is made changes.
build/debian.img build/debian-arm64.img: scripts/make-debian scripts/apt-lists | setup-test
	$(call step,DISK)
	scripts/make-debian $@ $(if $(findstring arm64,$@),arm64,amd64)

# Drivers that make disks and volumes worse than those of QEMU and OVMF.
BOOT_DRIVERS := $(patsubst tests/boot/%.c,$(B)/%.efi,$(sort $(wildcard tests/boot/*.c)))
$(BOOT_DRIVERS:.efi=.elf): $(B)/%.elf: $(B)/tests/boot/%.o
$(BOOT_DRIVERS): KIND := --driver

# The core and the adapters, for programs with another entry point: tests, and benchmarks.
ADAPTED := $(call objects,$(B),$(filter-out efi/%,$(PROGRAM)))
$(B)/contract.elf: $(ADAPTED) $(call objects,$(B),tests/contract/contract.c \
	tests/contract/firmware.c)
$(B)/processors.elf: $(ADAPTED) $(B)/tests/contract/processors.o
.PHONY: boot-drivers test-boot
boot-drivers: $(BOOT_DRIVERS) $(B)/contract.efi $(B)/processors.efi

## make test-boot    the program in OVMF: every command, bus and screen (12 minutes)
test-boot: program boot-drivers build/debian.img build/firmware/trixie | setup-test
	$(PYTEST) -n 2 --dist loadfile --durations=10 --durations-min=20 --maxfail=30 \
		--basetemp=build/boot-programs tests/boot

## make test-boot-busy  boot tests N=20 times beside two busy loops: none may depend on time;
##                   FILES=tests/boot/test_X.py chooses others
TIMELY := resume interrupt gone stop start shell menu faults jobs unfinished
.PHONY: test-boot-busy
test-boot-busy: N ?= 20
test-boot-busy: FILES ?= $(TIMELY:%=tests/boot/test_%.py)
test-boot-busy: program boot-drivers | setup-test
	PYTHON="$(PYTHON)" tests/boot/busy $(N) $(FILES)

## make test-arch    the program for each processor, on that processor and its firmware (2 minutes)
## make test-firmware  the same on each firmware that there is a machine for, and on that of each
##                   release of Debian with and without Secure Boot (docs/FIRMWARE.md), all
##                   restored disks of tests/boot/test_debian.py are started, and one on aarch64
ON_BOARDS := $(PYTEST) -n 2 --dist loadgroup --durations=10 --durations-min=20 \
	--basetemp=build/arch-programs tests/arch
.PHONY: test-arch test-firmware
test-arch: all-arch | setup-test
	$(ON_BOARDS)
test-firmware: all-arch build/machines \
		$(addprefix build/firmware/,bookworm trixie sid) \
		build/debian.img build/debian-arm64.img | setup-test
	$(ON_BOARDS) --boards=all --write-table
	$(PYTHON) -B tests/firmware/matrix $(B)/efi-img.efi
	$(PYTEST) --whole --basetemp=build/boot-programs tests/boot/test_debian.py \
		tests/boot/test_firmware_setup.py
	$(PYTEST) --boards=aarch64-edk2 --debian=build/debian-arm64.img \
		--basetemp=build/arch-programs tests/arch/test_started.py
build/machines: scripts/fetch-machines scripts/apt-lists | setup-test
	$(call step,FETCH)
	scripts/fetch-machines $@

# ---- the files of a release ---------------------------------------------------------------------

## make test-dist    version, stick, CD and the files of a release (half a minute)
.PHONY: test-dist
test-dist: all-arch host build/efi-img.1 | setup-test
	$(PYTEST) --basetemp=build/dist-tests tests/dist

# ---- all tests ----------------------------------------------------------------------------------

##
## make test         test-unit, test-unit-arch, test-planted, test-fuzz, test-differential,
##                   test-dist, test-boot, test-arch (40 minutes)
# One after the other, each of them built on all processors.
TESTS := test-unit test-unit-arch test-planted test-fuzz test-differential test-dist test-boot \
	test-arch
.PHONY: test
test:
	@for part in $(TESTS); do begin=$$(date +%s); \
		$(MAKE) --no-print-directory -j$$(nproc) $$part || exit; \
		echo "$$part: $$(($$(date +%s) - begin)) s"; done

## make test-release make, make run and make check, from nothing but git and make, in chroots of
##                   RELEASES="bookworm trixie" (root or user namespaces, and a mirror)
RELEASES ?= bookworm trixie
.PHONY: test-release
test-release: | setup-release
	for release in $(RELEASES); do scripts/test-release $$release || exit; done

## make test-reproducible  make dist in two clones, which must give the same bytes
.PHONY: test-reproducible
test-reproducible: | setup-release
	scripts/test-reproducible x86_64

## make coverage     lines of the core that unit and differential tests run, at least 95 %
$(eval $(call unit_programs,build/coverage,--coverage,$(HOST_ARCH)))
build/coverage/efi-img: $(call objects,build/coverage,$(HOST) build/gen/version.c) \
		build/coverage/core.a
	$(call step,LD )
	$(CC) --coverage $^ -o $@
.PHONY: coverage
coverage: $(UNIT:%=build/coverage/%) build/coverage/efi-img build/host/efi-img-doubles
	find build/coverage -name '*.gcda' -delete
	$(call run_programs,$(UNIT:%=build/coverage/%))
	EFI_IMG=$(CURDIR)/build/coverage/efi-img $(DIFFERENTIAL)
	gcovr --root . --filter core/ --exclude-unreachable-branches --print-summary \
		--fail-under-line 95 --txt build/coverage/report.txt build/coverage/core
	@echo "By file: build/coverage/report.txt"

# ---- lint ---------------------------------------------------------------------------------------

# Python programs without a suffix, and shell scripts, are found by their first line.
C_FILES = $(shell git ls-files '*.c' '*.h')
PYTHON_FILES = $(shell git ls-files '*.py') $(shell git grep -lE '^\#!.*python3' -- ':!*.py')
SHELL_FILES = $(shell git grep -lE '^(\#!/bin/bash|\# shellcheck shell=bash)')

## make format       lays out C and Python as make lint requires
.PHONY: format
format: | setup-lint
	clang-format -i $(C_FILES)
	black -q $(PYTHON_FILES)

CORE_SOURCES := $(filter core/%.c,$(CORE) $(call kernels,$(ARCH)))
FIRMWARE_SOURCES := $(filter %.c,$(FIRMWARE))
TIDY_OFF := bugprone-easily-swappable-parameters bugprone-branch-clone \
	bugprone-assignment-in-if-condition \
	clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
comma := ,
TIDY := clang-tidy --quiet --warnings-as-errors='*' \
	--checks='-*$(comma)bugprone-*$(comma)clang-analyzer-*$(TIDY_OFF:%=$(comma)-%)'
# Without what makes object files. clang has headers of its own for the core's restricted view.
no_objects = $(filter-out -g -O% -MMD -MP -ffile-prefix-map=%,$(1))
GCC_CORE = $(call no_objects,$(CORE_FLAGS)) $(CODEC_INCLUDES)
CLANG_CORE = $(subst $(shell $(CC) -print-file-name=include),$(shell \
	clang -print-resource-dir)/include,$(GCC_CORE))
FIRMWARE_ALL = $(call no_objects,$(FIRMWARE_OUTSIDE) $(FIRMWARE_FLAGS))
HOST_ALL = $(call no_objects,$(HOST_OUTSIDE))
ANALYZE := -O1 -Wno-maybe-uninitialized -fanalyzer -c {} -o /dev/null
# $(call each,FILES,COMMAND): the command with each file in place of {}; fails if one fails.
each = printf '%s\n' $(1) | xargs -P 2 -I {} $(2)

## make lint         floors, layout and sizes of the code, two compilers, analysers, shellcheck
.PHONY: lint
lint: layers all-arch boot-drivers build/efi-img.1 | setup-lint
	@echo "  LINT layout"
	clang-format --dry-run -Werror $(C_FILES)
	black -q --check $(PYTHON_FILES)
	scripts/check-sizes
	@echo "  LINT PE images"
	scripts/check-pe $(ARCHES:%=build/%/efi-img.efi) $(BOOT_DRIVERS)
	@echo "  LINT clang"
	$(call each,$(CORE_SOURCES),clang $(CLANG_CORE) -fsyntax-only {})
	$(call each,$(FIRMWARE_SOURCES),clang $(FIRMWARE_ALL) -fsyntax-only {})
	$(call each,$(HOST) scripts/manual.c,clang $(HOST_ALL) -fsyntax-only {})
	@echo "  LINT gcc -fanalyzer"
	$(call each,$(CORE_SOURCES),$(CC) $(GCC_CORE) $(ANALYZE))
	$(call each,$(FIRMWARE_SOURCES),$(CC) $(FIRMWARE_ALL) $(ANALYZE))
	@echo "  LINT clang-tidy"
	$(call each,$(CORE_SOURCES),$(TIDY) {} -- $(CLANG_CORE))
	$(call each,$(FIRMWARE_SOURCES),$(TIDY) {} -- $(FIRMWARE_ALL))
	@echo "  LINT man page"
	mandoc -T lint -W error build/efi-img.1
	@echo "  LINT planted mistakes"
	tests/planted/run
	@echo "  LINT promises"
	scripts/check-promises
	@echo "  LINT shellcheck"
	shellcheck -x $(SHELL_FILES)

include tests/bench/bench.mk

##
## make clean        removes build/
.PHONY: clean help
clean:
	rm -rf build
help:
	@sed -n 's/^## \?//p' Makefile scripts/secure-boot.mk tests/bench/bench.mk

# Objects that exist, and the headers that each of them was built from.
-include $(shell find build -name '*.d' -type f 2>/dev/null)
