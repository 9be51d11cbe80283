# SPDX-License-Identifier: BSD-2-Clause
# Part of the Makefile: speed.

##
## make bench        speed, beside other programs and what the devices can do: bench-firmware
##                   (create), bench-copy (capture and restore; USED_GIB=4: with a disk of so
##                   many GiB that is partly used, default 64), bench-linux (beside a Linux with
##                   qemu-img in the same machine), bench-host (beside qemu-img; ROWS="dmg bochs":
##                   only these rows), bench-kernels (what is written for this processor, beside
##                   plain C), bench-growth (by size; GIB=16: with data up to that)
.PHONY: bench bench-firmware bench-copy bench-linux bench-host bench-kernels bench-growth
bench: bench-firmware bench-copy bench-linux bench-host bench-kernels bench-growth
bench-firmware: $(B)/efi-img.efi $(B)/bench.efi | setup-run
	$(PYTHON) -B tests/bench/firmware.py $^
bench-copy: $(B)/timed.efi | setup-run setup-test
	$(PYTHON) -B tests/bench/copies.py $^
bench-linux: $(B)/efi-img.efi build/linux | setup-run
	$(PYTHON) -B tests/bench/linux.py $^
bench-host: build/host/efi-img build/host/measure | setup-run
	$(PYTHON) -B tests/bench/host.py $^ $(ROWS)
bench-kernels: build/host/kernels
	$(PYTHON) -B tests/bench/kernels.py $^
bench-growth: build/host/efi-img build/host/measure | setup-run
	$(PYTHON) -B tests/bench/growth.py $^ $(GIB)

$(B)/tests/bench/%: INCLUDES := -Iefi
$(B)/bench.elf: $(ADAPTED) $(B)/tests/bench/volume.o
$(B)/timed.elf: $(ADAPTED) $(B)/efi/arguments.o $(B)/tests/bench/timed.o

build/linux: scripts/make-linux scripts/apt-lists | setup-test
	$(call step,LINUX)
	scripts/make-linux $@
$(eval $(call renamed,build/host,$(HOST_ARCH)))
build/host/drivers/arch/generic/memory.o: OPTIMIZE := -O2 -fno-tree-loop-distribute-patterns
build/host/kernels: $(call objects,build/host,tests/bench/kernels.c \
		$(filter-out %/stack.asm,$(call memory,$(HOST_ARCH)))) build/host/core.a
	$(call step,LD )
	$(CC) $^ -o $@
build/host/measure: build/host/tests/bench/measure.o
	$(call step,LD )
	$(CC) $^ -o $@
