# SPDX-License-Identifier: BSD-2-Clause
# efi-img. `make help` lists the targets. Everything is built below build/.

ARCH := x86_64
HOST_ARCH := $(shell uname -m)
B := build/$(ARCH)
PYTHON := /usr/bin/python3
export PATH := $(PATH):/usr/sbin:/sbin # sgdisk and fsck.fat, which are not in everybody's path

# One line per step; `make V=1` shows the commands themselves.
say = @echo "  $(1)  $(or $(2),$@)"
ifneq ($(V),1)
.SILENT:
endif

.DEFAULT_GOAL := program
.PHONY: program host usb run test fuzz coverage lint bench clean help
.DELETE_ON_ERROR:
.SECONDARY:

# ---- sources ------------------------------------------------------------------------------------------------------

# The kernels in plain C, and the choice among them and those of an architecture, if it has a folder.
kernels = $(filter-out %/arch.c,$(wildcard core/arch/generic/*.c)) \
	$(or $(wildcard core/arch/$(1)/*.c core/arch/$(1)/*.asm),core/arch/generic/arch.c)
CORE := $(sort $(wildcard core/*/*.c core/format/*/*.c)) build/gen/formats.c build/gen/commands.c
FIRMWARE := $(sort $(wildcard drivers/uefi/*.c drivers/arch/$(ARCH)/*.c drivers/arch/$(ARCH)/*.asm efi/*.c))
HOST := $(sort $(wildcard drivers/posix/*.c))
# $(call objects,folder of objects,sources)
objects = $(patsubst %,$(1)/%.o,$(basename $(2)))
FORMATS := $(sort $(notdir $(patsubst %/,%,$(wildcard core/format/*/))))
COMMANDS := $(sort $(basename $(notdir $(wildcard core/command/*.c))))

# ---- flags --------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wundef \
	-Wframe-larger-than=4096 -Werror
LANGUAGE := -std=gnu2x -O2 -g -ffreestanding -fno-strict-aliasing -MMD -MP $(WARNINGS)
# The core sees the compiler's own headers and its own tree, nothing else.
CORE_FLAGS = $(LANGUAGE) -nostdinc -isystem $(shell $(CC) -print-file-name=include) -Icore
FIRMWARE_CODE := -fpic -fvisibility=hidden -fshort-wchar -mno-red-zone -fno-stack-protector -fno-asynchronous-unwind-tables
FIRMWARE_FLAGS := $(LANGUAGE) -Icore -Idrivers/uefi -Idrivers/arch -Idrivers/arch/$(ARCH) \
	-isystem /usr/include/efi -isystem /usr/include/efi/$(ARCH) -DGNU_EFI_USE_MS_ABI
HOST_FLAGS := -std=gnu2x -O2 -g -D_GNU_SOURCE -Icore -MMD -MP $(WARNINGS)

# ---- set-up -------------------------------------------------------------------------------------------------------

# Order-only, and quick when nothing is missing: installs what the target needs, or says what to install.
.PHONY: setup-build setup-run setup-test setup-screenshots setup-fuzz setup-coverage setup-lint
setup-build setup-run setup-test setup-screenshots setup-fuzz setup-coverage setup-lint: setup-%:
	@scripts/setup $*

# ---- libdeflate and zstd -------------------------------------------------------------------------------------------

# Built from their unchanged sources as the core is, against the four stand-ins of core/codec/include/ for headers of a C library.
SOURCES := build/sources
FETCHED := $(SOURCES)/fetched
LIBDEFLATE := $(addprefix libdeflate/lib/,utils.c deflate_compress.c deflate_decompress.c x86/cpu_features.c)
ZSTD := $(addprefix libzstd/lib/, \
	$(addprefix common/,entropy_common.c error_private.c fse_decompress.c xxhash.c zstd_common.c) \
	$(addprefix compress/,fse_compress.c hist.c huf_compress.c zstd_compress.c zstd_compress_literals.c zstd_compress_sequences.c \
		zstd_compress_superblock.c zstd_double_fast.c zstd_fast.c zstd_lazy.c zstd_ldm.c zstd_opt.c) \
	$(addprefix decompress/,huf_decompress.c zstd_ddict.c zstd_decompress.c zstd_decompress_block.c))
LIBRARIES := $(LIBDEFLATE) $(ZSTD)
CODEC_INCLUDES := -isystem core/codec/include -isystem $(SOURCES)/libdeflate -isystem $(SOURCES)/libzstd/lib
LIBRARY_FLAGS = $(filter-out -W% -MMD -MP,$(CORE_FLAGS)) -w $(CODEC_INCLUDES) -ffunction-sections \
	-DXXH_NAMESPACE=ZSTD_ -DZSTD_DISABLE_ASM -DZSTD_LEGACY_SUPPORT=0 -DZSTD_TRACE=0 -DZSTD_STRIP_ERROR_STRINGS=1 -DDEBUGLEVEL=0 \
	-DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT
# The levels that nothing chooses by itself are built for size: 34 KiB instead of 274.
build/%/zstd_fast.o build/%/zstd_lazy.o build/%/zstd_opt.o: LIBRARY_FLAGS += -Os -DZSTD_NO_INLINE=1
ADAPTERS := $(filter core/codec/%,$(CORE))

$(FETCHED): scripts/fetch-sources | setup-build
	scripts/fetch-sources
	@touch $@

# $(call libraries,folder of objects,flags)
define libraries
$(1)/sources/%.o: $(FETCHED) $(wildcard core/codec/include/*.h)
	@mkdir -p $$(@D)
	$$(call say,CC ,$(SOURCES)/$$*.c)
	$$(CC) $$(LIBRARY_FLAGS) $(2) -c $(SOURCES)/$$*.c -o $$@
$(ADAPTERS:%.c=$(1)/%.o): $(FETCHED)
$(ADAPTERS:%.c=$(1)/%.o): CORE_FLAGS += $(CODEC_INCLUDES)
endef
$(eval $(call libraries,$(B),$$(FIRMWARE_CODE)))
$(eval $(call libraries,build/host,))
$(eval $(call libraries,build/test,$$(SANITIZED) -O2))

# ---- generated lists ----------------------------------------------------------------------------------------------

# $(call generate,type,prefix,array,names): an array of pointers to the named objects, rewritten only when it changes.
define generate
@mkdir -p $(@D)
@{ echo '/* Made by the Makefile from the names in core/. */'; \
   echo '#include "$(5)"'; \
   for name in $(4); do echo "extern const struct $(1) $(2)_$$name;"; done; \
   echo 'const struct $(1) *const $(3)[] = {'; \
   for name in $(4); do echo "	&$(2)_$$name,"; done; \
   echo '	0,'; echo '};'; } > $@.new
@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endef

.PHONY: always
build/gen/formats.c: always
	$(call generate,image_format,format,image_formats,$(FORMATS),format/image.h)
build/gen/commands.c: always
	$(call generate,command,command,commands,$(COMMANDS),cli/command.h)

# ---- the program --------------------------------------------------------------------------------------------------

# Small code outside these folders, where no time is spent: the limit of the program is 1 MiB.
FAST := $(addsuffix /%.o,$(addprefix $(B)/,core/base core/blk core/codec core/format core/format core/arch core/engine core/copy))
FIRMWARE_OBJECTS := $(call objects,$(B),$(CORE) $(call kernels,$(ARCH)) $(FIRMWARE)) $(LIBRARIES:%.c=$(B)/sources/%.o)
$(filter-out $(FAST) $(B)/sources/%,$(FIRMWARE_OBJECTS)): FIRMWARE_CODE += -Os

program: $(B)/efi-img.efi build/efi-img.man

$(B)/core/%.o: core/%.c | setup-build
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) $(FIRMWARE_CODE) -c $< -o $@
$(B)/build/gen/%.o: build/gen/%.c | setup-build
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) $(FIRMWARE_CODE) -c $< -o $@
$(B)/%.o: %.c | setup-build
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(FIRMWARE_FLAGS) $(FIRMWARE_CODE) -c $< -o $@

# Assembler: the same instructions in each of the trees, all of which follow the System V convention.
NASM := nasm -f elf64 -g -w+all -Werror
define assembled
$(1)/%.o: %.asm | setup-build
	@mkdir -p $$(@D)
	$$(call say,NASM,$$<)
	$$(NASM) $$< -o $$@
endef
$(foreach tree,$(B) build/host build/test build/fuzz build/coverage,$(eval $(call assembled,$(tree))))

# In two steps: only when it makes an object file does ld drop what nobody calls, since the link script does not say that
# start-up code and relocations are to be kept.
define link
$(call say,LD )
$(LD) -r --gc-sections -e efi_main $^ -o $(@:.so=.o)
$(LD) -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined --fatal-warnings --no-warn-rwx-segments \
	-T /usr/lib/elf_$(ARCH)_efi.lds /usr/lib/crt0-efi-$(ARCH).o $(@:.so=.o) -L/usr/lib -lgnuefi -o $@
endef

$(B)/efi-img.so: $(FIRMWARE_OBJECTS)
	$(link)

$(B)/%.efi: $(B)/%.so
	$(call say,EFI)
	objcopy -S -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc --target=efi-$(or $(KIND),app)-$(ARCH) $< $@

# ---- the same core as a Linux program -----------------------------------------------------------------------------

host: build/host/efi-img

build/host/core/%.o: core/%.c | setup-build
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) -c $< -o $@
build/host/build/gen/%.o: build/gen/%.c | setup-build
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) -c $< -o $@
build/host/%.o: %.c | setup-build
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(HOST_FLAGS) -c $< -o $@

HOST_CORE := $(call objects,build/host,$(CORE) $(call kernels,$(HOST_ARCH))) $(LIBRARIES:%.c=build/host/sources/%.o)

build/host/efi-img: $(HOST_CORE) $(HOST:%.c=build/host/%.o)
	$(call say,LD )
	$(CC) -Wl,--gc-sections $^ -o $@

# ---- the same with formats that only tests have -----------------------------------------------------------------

# tests/doubles/*/ are image formats that prove the interface of core/format/; the product never has them.
DOUBLES := $(sort $(wildcard tests/doubles/*/*.c))
DOUBLES_LIST := build/gen/formats_and_doubles
$(DOUBLES_LIST).c: always
	$(call generate,image_format,format,image_formats,\
		$(sort $(FORMATS) $(notdir $(patsubst %/,%,$(dir $(DOUBLES))))),format/image.h)
$(DOUBLES:%.c=build/host/%.o): HOST_FLAGS = $(CORE_FLAGS)
build/host/efi-img-doubles: $(filter-out %/build/gen/formats.o,$(HOST_CORE)) build/host/$(DOUBLES_LIST).o \
		$(DOUBLES:%.c=build/host/%.o) $(HOST:%.c=build/host/%.o)
	$(call say,LD )
	$(CC) -Wl,--gc-sections $^ -o $@

# ---- manuals ------------------------------------------------------------------------------------------------------

# From the tables of the commands: what the UEFI shell shows for `help efi-img`, and a man page.
build/host/manual: $(HOST_CORE) $(filter-out %/main.o,$(HOST:%.c=build/host/%.o)) build/host/scripts/manual.o
	$(call say,LD )
	$(CC) -Wl,--gc-sections $^ -o $@

# What is on the stick beside the program.
STICK := build/efi-img.man scripts/capture.nsh
build/efi-img.man: build/host/manual
	$< shell >$@
build/efi-img.1: build/host/manual
	$< man >$@

# ---- installing the Linux program ---------------------------------------------------------------------------------

PREFIX ?= /usr/local
.PHONY: install
install: build/host/efi-img build/efi-img.1
	install -D -m 755 build/host/efi-img $(DESTDIR)$(PREFIX)/bin/efi-img
	install -D -m 644 build/efi-img.1 $(DESTDIR)$(PREFIX)/share/man/man1/efi-img.1

# ---- running it ---------------------------------------------------------------------------------------------------

usb: build/efi-img-usb.img
build/efi-img-usb.img: build/x86_64/efi-img.efi $(STICK) scripts/make-usb | setup-run
	scripts/make-usb $< $@ $(STICK)
	@echo "Write it to a stick with: dd if=$@ of=/dev/THE-STICK bs=4M conv=fsync"

run: build/x86_64/efi-img.efi | setup-run
	$(PYTHON) -B scripts/demo $<

# The pictures of the menu in docs/, taken in QEMU.
.PHONY: screenshots
screenshots: build/x86_64/efi-img.efi | setup-screenshots
	$(PYTHON) -B scripts/screenshots $< docs

# ---- tests in a booted machine ------------------------------------------------------------------------------------

# Two minutes, and 100 MB of packages: made again only when how it is made changes.
build/debian.img: scripts/make-debian scripts/apt-lists | setup-test
	$(call say,DISK)
	scripts/make-debian $@

# Drivers that make disks and volumes worse than QEMU and OVMF have them.
BOOT_DRIVERS := $(patsubst tests/boot/%.c,$(B)/%.efi,$(sort $(wildcard tests/boot/*.c)))
$(BOOT_DRIVERS:.efi=.so): $(B)/%.so: $(B)/tests/boot/%.o
	$(link)
$(BOOT_DRIVERS): KIND := bsdrv
.PHONY: boot-drivers
boot-drivers: $(BOOT_DRIVERS)

.PHONY: test-boot
test-boot: program boot-drivers build/debian.img | setup-test
	$(PYTHON) -B -m pytest -q -n 2 --dist loadfile --durations=10 --durations-min=20 --tb=short --maxfail=30 -p no:cacheprovider --basetemp=build/boot-programs tests/boot

# That they do not depend on time: those in which something happens in the middle, N times on a busy machine.
TIMELY := $(patsubst %,tests/boot/test_%.py,resume interrupt gone start shell menu faults jobs)
.PHONY: test-boot-busy
test-boot-busy: N ?= 20
test-boot-busy: FILES ?= $(TIMELY)
test-boot-busy: program boot-drivers | setup-test
	PYTHON="$(PYTHON)" tests/boot/busy $(N) $(FILES)

# ---- unit tests ---------------------------------------------------------------------------------------------------

# Each tests/unit/test_*.c is a program, linked with the core and with tests/sim/ for a platform, all with the sanitizers.
UNIT := $(patsubst tests/unit/%.c,build/test/%,$(sort $(wildcard tests/unit/test_*.c)))
SIM := $(sort $(wildcard tests/sim/*.c))
TRIAL := $(sort $(wildcard tests/trial/*.c))
SANITIZED := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -Wno-frame-larger-than
UNIT_FLAGS := $(HOST_FLAGS) -Itests/sim -Itests/trial -Itests/unit $(SANITIZED)

build/test/core/%.o: core/%.c | setup-test
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) $(SANITIZED) -c $< -o $@
build/test/build/gen/%.o: build/gen/%.c | setup-test
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) $(SANITIZED) -c $< -o $@
build/test/tests/%.o: tests/%.c | setup-test
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(UNIT_FLAGS) -c $< -o $@

# The firmware's memcpy() and its kind, under names that are not those of the C library.
FIRMWARE_MEMORY := $(wildcard drivers/arch/$(HOST_ARCH)/memory.asm)
FIRMWARE_MEMORY_OBJECTS := $(foreach tree,test coverage,$(call objects,build/$(tree),$(FIRMWARE_MEMORY)))
$(FIRMWARE_MEMORY_OBJECTS): NASM += --gprefix firmware_
UNIT := $(filter-out $(if $(FIRMWARE_MEMORY),,%/test_memory),$(UNIT))

# Archives, so that a program gets what it uses.
build/test/core.a: $(call objects,build/test,$(CORE) $(call kernels,$(HOST_ARCH))) $(LIBRARIES:%.c=build/test/sources/%.o)
build/test/sim.a: $(SIM:%.c=build/test/%.o) $(TRIAL:%.c=build/test/%.o) $(filter build/test/%,$(FIRMWARE_MEMORY_OBJECTS))
build/test/%.a:
	$(call say,AR )
	rm -f $@ && $(AR) rcs $@ $^

$(UNIT): build/test/%: build/test/tests/unit/%.o build/test/core.a build/test/sim.a
	$(call say,LD )
	$(CC) $(SANITIZED) $(filter %.o,$^) -Wl,--start-group build/test/core.a build/test/sim.a -Wl,--end-group -lcmocka -lm $(ORACLE) -o $@
# The contract of a blk holds for images of every format, those that only tests have among them.
$(DOUBLES:%.c=build/test/%.o): UNIT_FLAGS = $(CORE_FLAGS) $(SANITIZED)
build/test/test_blk_contract: $(DOUBLES:%.c=build/test/%.o) build/test/$(DOUBLES_LIST).o
build/test/test_deflate build/coverage/test_deflate: ORACLE := -lz
build/test/test_workers build/coverage/test_workers: ORACLE := -Wl,--wrap=codec_compress
build/test/test_failures build/coverage/test_failures: ORACLE := -Wl,--wrap=image_close

.PHONY: test-unit
LONG := $(filter %/test_powercuts %/test_failures %/test_poke,$(UNIT))
test-unit: $(LONG) $(filter-out $(LONG),$(UNIT))
	@printf '%s\n' $^ | xargs -P 2 -I {} sh -c '{} >{}.log 2>&1 || \
		{ grep -v -e RUN -e "  OK " {}.log | head -60; echo "FAILED: {}"; exit 1; }'
	@echo "$$(sed -n 's/.*PASSED  \] \([0-9]*\) test.*/\1/p' $(^:%=%.log) | paste -sd+ | bc) unit tests in $(words $^) programs passed"

# What the last `make test-unit` and `make test-fuzz` (or `make fuzz`) have enumerated, as in tests/README.md.
.PHONY: figures
figures:
	@echo "| operation | rows | cuts | states | of them different | failures |"; echo "|---|---|---|---|---|---|"
	@awk -F '|' 'NF == 8 && $$3 + 0 > 0 { if (!($$2 in n)) order[++rows] = $$2; n[$$2] = $$3; cuts[$$2] += $$4; states[$$2] += $$5; \
		if ($$5 > 0) differ[$$2] = $$6; failures[$$2] += $$7 } END { for (i = 1; i <= rows; i++) { g = order[i]; \
		printf "|%s|%d|%d|%d|%d|%d|\n", g, n[g], cuts[g], states[g], differ[g], failures[g] } }' \
		build/test/test_powercuts.log build/test/test_failures.log
	@echo; grep -h '^| [dp].* |$$' build/test/test_damaged.log build/test/test_poke.log
	@for log in $(FUZZ:%=%.log); do echo "| $$(basename $$log .log) | executions | $$(sed -n 's/.*executed_units: *//p' $$log) |"; done

# Mistakes in the order of writes that the power-cut tests must find.
.PHONY: test-planted
test-planted: $(UNIT)
	tests/planted/run $(CC) $(CORE_FLAGS) $(SANITIZED)

# ---- beside qemu-img ----------------------------------------------------------------------------------------------

.PHONY: test-differential
test-differential: build/host/efi-img build/host/efi-img-doubles | setup-test
	$(PYTHON) -B -m pytest -q -n 2 --durations=10 --durations-min=5 --tb=short -p no:cacheprovider --basetemp=build/differential tests/differential

# ---- fuzzing ------------------------------------------------------------------------------------------------------

# Each other tests/fuzz/*.c is a target of libFuzzer: the core as above, built by clang with more sanitizers than gcc has. What
# the corpus in tests/fuzz/corpus/ has is run again by `make test`; `make fuzz TIME=seconds` looks for more, and keeps it in build/fuzz/.
FUZZ_COMMON := tests/fuzz/fuzz.c tests/fuzz/poke.c
FUZZ := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(filter-out $(FUZZ_COMMON),$(sort $(wildcard tests/fuzz/*.c))))
FUZZ_LIBRARY := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
FUZZ_FLAGS := $(FUZZ_LIBRARY) -fsanitize=unsigned-shift-base,implicit-conversion

build/fuzz/%: CC := clang
$(eval $(call libraries,build/fuzz,$$(FUZZ_LIBRARY)))
build/fuzz/core/%.o: core/%.c | setup-fuzz
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) $(FUZZ_FLAGS) -c $< -o $@
build/fuzz/build/gen/%.o: build/gen/%.c | setup-fuzz
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) $(FUZZ_FLAGS) -c $< -o $@
build/fuzz/tests/%.o: tests/%.c | setup-fuzz
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(HOST_FLAGS) -Itests/sim $(FUZZ_LIBRARY) -c $< -o $@
build/fuzz/core.a: $(call objects,build/fuzz,$(CORE) $(call kernels,$(HOST_ARCH))) $(LIBRARIES:%.c=build/fuzz/sources/%.o)
build/fuzz/sim.a: $(SIM:%.c=build/fuzz/%.o) build/fuzz/tests/fuzz/fuzz.o
build/fuzz/%.a:
	$(call say,AR )
	rm -f $@ && $(AR) rcs $@ $^
build/fuzz/read_image build/fuzz/change_image: build/fuzz/tests/fuzz/poke.o
$(FUZZ): build/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/core.a build/fuzz/sim.a
	$(call say,LD )
	$(CC) $(subst fuzzer-no-link,fuzzer,$(FUZZ_LIBRARY)) $(filter %.o,$^) -Wl,--start-group build/fuzz/core.a build/fuzz/sim.a \
		-Wl,--end-group -o $@

.PHONY: test-fuzz
test-fuzz: $(FUZZ)
	printf '%s\n' $^ | xargs -P 2 -I {} tests/fuzz/run {} 0
fuzz: TIME ?= 600
fuzz: $(FUZZ)
	printf '%s\n' $^ | xargs -P 2 -I {} tests/fuzz/run {} $(TIME)

# The long form of the tests, with other seeds each time: power cuts, damaged images, random programs, fuzzing.
.PHONY: soak
soak: TIME ?= 3600
soak: $(UNIT) $(FUZZ) build/host/efi-img
	PYTHON="$(PYTHON)" tests/soak $(TIME) $(FUZZ)

# ---- coverage -----------------------------------------------------------------------------------------------------

# Lines of the core that the unit and the differential tests run.
COVERED_UNIT := $(UNIT:build/test/%=build/coverage/%)

$(eval $(call libraries,build/coverage,))
build/coverage/core/%.o: core/%.c | setup-coverage
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) -O0 --coverage -fprofile-update=atomic -Wno-frame-larger-than -c $< -o $@
build/coverage/build/gen/%.o: build/gen/%.c | setup-coverage
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(CORE_FLAGS) -c $< -o $@
build/coverage/tests/%.o: tests/%.c | setup-coverage
	@mkdir -p $(@D)
	$(call say,CC ,$<)
	$(CC) $(HOST_FLAGS) -Wno-frame-larger-than -Itests/sim -Itests/trial -Itests/unit -c $< -o $@
build/coverage/core.a: $(call objects,build/coverage,$(CORE) $(call kernels,$(HOST_ARCH))) $(LIBRARIES:%.c=build/coverage/sources/%.o)
build/coverage/sim.a: $(SIM:%.c=build/coverage/%.o) $(TRIAL:%.c=build/coverage/%.o) $(filter build/coverage/%,$(FIRMWARE_MEMORY_OBJECTS))
build/coverage/%.a:
	$(call say,AR )
	rm -f $@ && $(AR) rcs $@ $^
$(COVERED_UNIT): build/coverage/%: build/coverage/tests/unit/%.o build/coverage/core.a build/coverage/sim.a
	$(call say,LD )
	$(CC) --coverage $< -Wl,--start-group build/coverage/core.a build/coverage/sim.a -Wl,--end-group -lcmocka -lm $(ORACLE) -o $@
build/coverage/efi-img: $(HOST:%.c=build/coverage/%.o) build/coverage/core.a
	$(call say,LD )
	$(CC) --coverage $^ -o $@

coverage: $(COVERED_UNIT) build/coverage/efi-img
	find build/coverage -name '*.gcda' -delete
	printf '%s\n' $(COVERED_UNIT) | xargs -P 2 -I {} sh -c '{} >{}.log 2>&1 || { echo "FAILED: {}"; exit 1; }'
	EFI_IMG=$(CURDIR)/build/coverage/efi-img $(PYTHON) -B -m pytest -q -n 2 --tb=short -p no:cacheprovider --basetemp=build/differential tests/differential
	gcovr --root . --filter core/ --exclude-unreachable-branches --print-summary --fail-under-line 95 --txt build/coverage/report.txt \
		build/coverage/core
	@echo "By file: build/coverage/report.txt"

# ---- lint ---------------------------------------------------------------------------------------------------------

CORE_SOURCES := $(filter core/%.c,$(CORE) $(call kernels,$(ARCH)))
FIRMWARE_SOURCES := $(filter %.c,$(FIRMWARE))
TIDY := clang-tidy --quiet --warnings-as-errors='*' --checks='-*,bugprone-*,clang-analyzer-*,-bugprone-easily-swappable-parameters,\
	-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-bugprone-branch-clone,-bugprone-assignment-in-if-condition'
# clang's own headers instead of gcc's, for the same restricted view.
CLANG_CORE = $(filter-out -isystem /%,$(filter-out $(shell $(CC) -print-file-name=include),$(CORE_FLAGS))) \
	-isystem $(shell clang -print-resource-dir)/include
no_objects = $(filter-out -g -O2 -MMD -MP,$(1))
FIRMWARE_ALL = $(call no_objects,$(FIRMWARE_FLAGS) $(FIRMWARE_CODE))
# $(call each,files,command): the command with each file in place of {}, two at a time; fails if one does.
each = printf '%s\n' $(1) | xargs -P 2 -I {} $(2)
ANALYZE := -O1 -Wno-maybe-uninitialized -fanalyzer -c {} -o /dev/null

# How C and Python are laid out. Python programs without a suffix are found by their first line.
C_FILES = $(shell git ls-files '*.c' '*.h')
PYTHON_FILES = $(shell git ls-files '*.py') $(shell git grep -lE '^\#!.*python3' -- ':!*.py')
.PHONY: format
format: | setup-lint
	clang-format -i $(C_FILES)
	black -q $(PYTHON_FILES)

.PHONY: lint
lint: $(B)/efi-img.efi build/host/efi-img build/efi-img.1 | setup-lint
	@echo "  LINT layers"
	scripts/check-layers $(HOST_CORE)
	@echo "  LINT layout"
	clang-format --dry-run -Werror $(C_FILES)
	black -q --check $(PYTHON_FILES)
	@echo "  LINT clang"
	$(call each,$(CORE_SOURCES),clang $(call no_objects,$(CLANG_CORE)) $(CODEC_INCLUDES) -fsyntax-only {})
	$(call each,$(FIRMWARE_SOURCES),clang $(FIRMWARE_ALL) -fsyntax-only {})
	$(call each,$(HOST) scripts/manual.c,clang $(call no_objects,$(HOST_FLAGS)) -fsyntax-only {})
	@echo "  LINT gcc -fanalyzer"
	$(call each,$(CORE_SOURCES),$(CC) $(call no_objects,$(CORE_FLAGS)) $(CODEC_INCLUDES) $(ANALYZE))
	$(call each,$(FIRMWARE_SOURCES),$(CC) $(FIRMWARE_ALL) $(ANALYZE))
	@echo "  LINT clang-tidy"
	$(call each,$(CORE_SOURCES),$(TIDY) {} -- $(call no_objects,$(CLANG_CORE)) $(CODEC_INCLUDES))
	$(call each,$(FIRMWARE_SOURCES),$(TIDY) {} -- $(FIRMWARE_ALL))
	@echo "  LINT man page"
	mandoc -T lint -W error build/efi-img.1
	@echo "  LINT planted mistakes"
	tests/planted/run
	@echo "  LINT promises"
	scripts/check-promises
	@echo "  LINT shellcheck"
	shellcheck -x scripts/setup scripts/apt-lists scripts/fetch-sources scripts/check-layers scripts/make-usb scripts/make-debian scripts/make-linux \
		tests/boot/busy tests/fuzz/run tests/fuzz/keep tests/soak .ci/run

# ---- speed --------------------------------------------------------------------------------------------------------

# The adapters and the core with another entry point.
BENCH_OBJECTS := $(filter-out $(B)/efi/%,$(FIRMWARE_OBJECTS))

$(B)/tests/bench/%.o: FIRMWARE_FLAGS += -Iefi
$(B)/bench.so: $(BENCH_OBJECTS) $(B)/tests/bench/volume.o
$(B)/timed.so: $(BENCH_OBJECTS) $(B)/efi/arguments.o $(B)/tests/bench/timed.o
$(B)/bench.so $(B)/timed.so:
	$(link)

.PHONY: bench-firmware bench-copy bench-linux bench-host bench-growth
bench: bench-firmware bench-copy bench-linux bench-host bench-growth
bench-firmware: $(B)/efi-img.efi $(B)/bench.efi | setup-run
	$(PYTHON) -B tests/bench/firmware.py $^
bench-copy: $(B)/timed.efi | setup-run
	$(PYTHON) -B tests/bench/copies.py $^
bench-linux: $(B)/efi-img.efi build/linux | setup-run
	$(PYTHON) -B tests/bench/linux.py $^
bench-host: build/host/efi-img build/host/measure | setup-run
	$(PYTHON) -B tests/bench/host.py $^
bench-growth: build/host/efi-img build/host/measure | setup-run
	$(PYTHON) -B tests/bench/growth.py $^ $(GIB)

build/linux: scripts/make-linux scripts/apt-lists | setup-test
	$(call say,LINUX)
	scripts/make-linux $@

build/host/measure: build/host/tests/bench/measure.o
	$(call say,LD )
	$(CC) $^ -o $@

# ---- all of it ----------------------------------------------------------------------------------------------------

# One after the other, each of them built on all processors.
TESTS := test-unit test-planted test-fuzz test-differential test-boot
test:
	@for part in $(TESTS); do $(MAKE) --no-print-directory -j$$(nproc) $$part || exit; done

clean:
	rm -rf build

help:
	@echo "make              the UEFI program, $(B)/efi-img.efi"
	@echo "make host         the same core and commands as a Linux program, build/host/efi-img"
	@echo "make install      that Linux program and its man page, below PREFIX=/usr/local (and DESTDIR)"
	@echo "make usb          build/efi-img-usb.img, a bootable stick to be written with dd"
	@echo "make run          boots it in QEMU and shows what it does there"
	@echo "make screenshots  pictures of the menu, into docs/"
	@echo "make test         all tests: test-unit, test-planted, test-fuzz, test-differential (beside qemu-img), test-boot (in firmware)"
	@echo "make fuzz         looks for inputs that break the parsers and the engine, TIME=600 seconds for each target"
	@echo "make soak         the tests that go by seeds, with new ones, for TIME=3600 seconds"
	@echo "make test-boot-busy  boot tests N=20 times beside two busy loops: what could depend on time, or FILES=tests/boot/test_X.py"
	@echo "make coverage     lines of the core that the tests run, at least 95 %"
	@echo "make format       lays C and Python out as make lint wants it"
	@echo "make lint         floors of the code, two compilers, analysers, shellcheck"
	@echo "make bench        speed, beside other programs and what the devices can do: bench-firmware (create), bench-copy (capture and"
	@echo "                  restore), bench-linux (beside a Linux with qemu-img in the same machine), bench-host (beside qemu-img),"
	@echo "                  bench-growth (with sizes; GIB=16: with data up to that)"
	@echo "make clean        removes build/"

# What was compiled before, and which headers it saw.
-include $(shell find build -name '*.d' -type f 2>/dev/null)
