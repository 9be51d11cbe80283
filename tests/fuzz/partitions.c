/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk of any bytes, with a tail of zeros: its partition tables, its file systems, and how `list`
 * shows them. The lowest bits of the first byte say how long its blocks are, and whether the
 * checksums of its GPT are to be right.
 */
#include "fuzz.h"

#include <string.h>

#include "machine.h"
#include "memory_blk.h"
#include "tables.h"

enum { TAIL = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint32_t block_bytes = n > 0 && (data[0] & 1) != 0 ? 4096 : 512;
	struct memory_blk *memory = memory_blk_new(&(struct memory_blk_kind){
		.size = (n + TAIL) / 4096 * 4096, .block_bytes = block_bytes });
	struct sim_device disk = {
		.names = "blk0:",
		.device = {
			.path = (char *)(uintptr_t)"Disk",
			.model = (char *)(uintptr_t)"",
			.serial = (char *)(uintptr_t)"",
			.bus = "",
			.parent = DEVICE_NO_PARENT,
			.block_bytes = block_bytes,
			.medium = true,
			.volume = { .label = (char *)(uintptr_t)"" },
		},
	};

	MUST(memory != NULL);
	memcpy(memory->bytes, data, n);
	if (n > 0 && (data[0] & 2) != 0) {
		sim_gpt_seal(memory, 1);
		sim_gpt_seal(memory, memory->blk.size / block_bytes - 1);
	}
	disk.device.size_bytes = memory->blk.size;
	disk.device.blk = &memory->blk;
	sim_machine(&disk, 1);
	MUST(fuzz_run("list") == 0);
	MUST(fuzz_run("list --output=json") == 0);
	sim_machine(NULL, 0);
	blk_close(&memory->blk);
	fuzz_end();
	return 0;
}
