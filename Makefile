# efi-img. `make help` lists the targets. Everything is built below build/.

ARCH := x86_64
B := build/$(ARCH)
PYTHON := /usr/bin/python3

# One line per step; `make V=1` shows the commands themselves.
say = @echo "  $(1)  $(or $(2),$@)"
ifneq ($(V),1)
.SILENT:
endif

.DEFAULT_GOAL := program
.PHONY: program host usb run test lint bench clean help
.DELETE_ON_ERROR:
.SECONDARY:

# ---- sources ------------------------------------------------------------------------------------------------------

CORE := $(sort $(wildcard core/*/*.c core/format/*/*.c)) build/gen/formats.c build/gen/commands.c
FIRMWARE := $(sort $(wildcard drivers/*.c drivers/$(ARCH)/*.c efi/*.c))
HOST := $(sort $(wildcard tests/host/*.c))
FORMATS := $(sort $(notdir $(patsubst %/,%,$(wildcard core/format/*/))))
COMMANDS := $(sort $(filter-out main,$(basename $(notdir $(wildcard core/command/*.c)))))

# ---- flags --------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wundef \
	-Wframe-larger-than=4096 -Werror
LANGUAGE := -std=gnu2x -O2 -g -ffreestanding -fno-strict-aliasing -MMD -MP $(WARNINGS)
# The core sees the compiler's own headers and its own tree, nothing else.
CORE_FLAGS = $(LANGUAGE) -nostdinc -isystem $(shell $(CC) -print-file-name=include) -Icore
FIRMWARE_CODE := -fpic -fshort-wchar -mno-red-zone -fno-stack-protector -fno-asynchronous-unwind-tables
FIRMWARE_FLAGS := $(LANGUAGE) -Icore -Idrivers -isystem /usr/include/efi -isystem /usr/include/efi/$(ARCH) -DGNU_EFI_USE_MS_ABI
HOST_FLAGS := -std=gnu2x -O2 -g -D_GNU_SOURCE -Icore -MMD -MP $(WARNINGS)

# ---- set-up -------------------------------------------------------------------------------------------------------

# Order-only, and quick when nothing is missing: installs what the target needs, or says what to install.
.PHONY: setup-build setup-run setup-test setup-lint
setup-build setup-run setup-test setup-lint: setup-%:
	@scripts/setup $*

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
	$(call generate,command,command,commands,$(COMMANDS),command/command.h)

# ---- the program --------------------------------------------------------------------------------------------------

FIRMWARE_OBJECTS := $(CORE:%.c=$(B)/%.o) $(FIRMWARE:%.c=$(B)/%.o)

program: $(B)/efi-img.efi

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

$(B)/efi-img.so: $(FIRMWARE_OBJECTS)
	$(call say,LD )
	$(LD) -nostdlib -znocombreloc -shared -Bsymbolic --no-undefined --fatal-warnings --no-warn-rwx-segments \
		-T /usr/lib/elf_$(ARCH)_efi.lds /usr/lib/crt0-efi-$(ARCH).o $^ -L/usr/lib -lgnuefi -o $@

$(B)/efi-img.efi: $(B)/efi-img.so
	$(call say,EFI)
	objcopy -S -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' -j '.rela.*' \
		-j .reloc --target=efi-app-$(ARCH) $< $@

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

build/host/efi-img: $(CORE:%.c=build/host/%.o) $(HOST:%.c=build/host/%.o)
	$(call say,LD )
	$(CC) $^ -o $@

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)

# ---- running it ---------------------------------------------------------------------------------------------------

usb: build/efi-img-usb.img
build/efi-img-usb.img: build/x86_64/efi-img.efi scripts/make-usb | setup-run
	scripts/make-usb $< $@
	@echo "Write it to a stick with: dd if=$@ of=/dev/THE-STICK bs=4M conv=fsync"

run: build/x86_64/efi-img.efi | setup-run
	$(PYTHON) -B scripts/demo $<

# ---- tests in a booted machine ------------------------------------------------------------------------------------

.PHONY: test-boot
test-boot: build/x86_64/efi-img.efi build/efi-img-usb.img | setup-test
	$(PYTHON) -B -m pytest -q -p no:cacheprovider tests/boot
