# SPDX-License-Identifier: BSD-2-Clause
# Included by the Makefile: all that depends on the processor of the firmware, ARCH, and how a
# program for it is linked. Its code is in core/arch/$(ARCH)/, drivers/arch/$(ARCH)/, and the
# folders of drivers/arch/ that it shares with other processors.

ARCHES := x86_64 aarch64 ia32 riscv64
ARCH := x86_64
$(if $(filter $(ARCH),$(ARCHES)),,$(error ARCH=$(ARCH) is none of $(ARCHES)))

TRIPLET_x86_64 := x86_64-linux-gnu
ARCH_FLAGS_x86_64 := -mno-red-zone
SHARED_x86_64 := x86
CPU_FEATURES_x86_64 := x86/cpu_features.c

TRIPLET_aarch64 := aarch64-linux-gnu
# Otherwise gcc calls libgcc for each atomic operation, and libdeflate asks Linux what the processor
# can do.
ARCH_FLAGS_aarch64 := -mno-outline-atomics -U__linux__
SHARED_aarch64 := generic no_ports
# What is called only where the processor has these instructions (core/arch/aarch64/arch.c).
%/core/arch/aarch64/sha256.o: INCLUDES := -march=armv8-a+crypto

# UEFI 2.10, 2.3.2: 64-bit numbers are aligned to 8 bytes, the stack is to 4. Code that finds its
# data by its own address is an eighth larger there, so that addresses in the code are relocated, too.
TRIPLET_ia32 := i686-linux-gnu
ARCH_FLAGS_ia32 := -malign-double -mpreferred-stack-boundary=2 -msse2 -fno-pie
CODE_RELOCATIONS_ia32 := -z notext
SHARED_ia32 := x86 generic
LIBGCC_ia32 := yes
NASM_FORMAT_ia32 := elf32
# Code for it is a third larger, and would be more than 1 MiB.
SLOW_ia32 := core/format
CPU_FEATURES_ia32 := x86/cpu_features.c

TRIPLET_riscv64 := riscv64-linux-gnu
ARCH_FLAGS_riscv64 := -march=rv64gc -mabi=lp64d -mcmodel=medany
SHARED_riscv64 := generic no_ports
LIBGCC_riscv64 := yes

# ---- of the chosen one --------------------------------------------------------------------------

ARCH_FLAGS := $(ARCH_FLAGS_$(ARCH))
ARCH_FOLDERS := $(addprefix drivers/arch/,$(ARCH) $(SHARED_$(ARCH)))
# Of this machine's own processor the compiler needs no prefix, and no other package.
CROSS := $(if $(filter-out $(HOST_ARCH),$(ARCH)),$(TRIPLET_$(ARCH))-)
FIRMWARE_CC = $(if $(CROSS),$(CROSS)gcc,$(CC))
FIRMWARE_SETUP := $(if $(CROSS),arch,build)

# Division of 64-bit numbers and the like, where the processor has no instruction for it.
LIBGCC = $(if $(LIBGCC_$(ARCH)),$(shell $(FIRMWARE_CC) -print-libgcc-file-name))

# $(link): makes $@ of the objects among $^, by the layout of a PE image. What has to be done before
# efi_main() is in entry.asm.
define link
$(call step,LD )
$(CROSS)ld -pie --no-dynamic-linker -T efi/program.lds --gc-sections \
	-e $(if $(filter %/entry.o,$^),hardware_entry,efi_main) \
	$(or $(CODE_RELOCATIONS_$(ARCH)),-z text) -z norelro \
	-z noexecstack --no-undefined --fatal-warnings --no-warn-rwx-segments --build-id=none \
	$(filter %.o,$^) $(LIBGCC) -o $@
endef
