/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86-64 and ia32: CPUID, the time stamp counter, and the I/O ports of QEMU's devices. Nothing here
 * asks for more privilege than the firmware runs programs with (ring 0).
 */
#include <cpuid.h>

#include "hardware.h"
#include "port.h"

enum { LEAF_FEATURES = 1, LEAF_COUNTER = 0x15, HYPERVISOR_BIT = 31 };

/*
 * QEMU, docs/specs/fw_cfg.rst, and the ports that -device isa-debug-exit,iobase= and isa-debugcon
 * have by convention
 */
enum {
	FW_CFG_SELECT_PORT = 0x510,
	FW_CFG_DATA_PORT = 0x511,
	DEBUG_EXIT_PORT = 0xf4,
	DEBUG_CONSOLE_PORT = 0xe9
};

uint64_t hardware_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

/* Intel SDM, volume 2, CPUID, leaf 15H: the counter is the crystal's clock times EBX / EAX. */
uint64_t hardware_ticks_per_second(void)
{
	unsigned denominator, numerator, crystal_hz, unused;

	if (!__get_cpuid(LEAF_COUNTER, &denominator, &numerator, &crystal_hz, &unused) ||
	    denominator == 0)
		return 0;
	return (uint64_t)crystal_hz * numerator / denominator;
}

/*
 * Intel SDM, volume 2, CPUID, leaf 1: bit 31 of ECX is 0 on every processor; hypervisors set it by
 * convention.
 */
enum hypervisor hardware_hypervisor(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(LEAF_FEATURES, &eax, &ebx, &ecx, &edx) && ecx >> HYPERVISOR_BIT != 0
		       ? HYPERVISOR_PRESENT
		       : HYPERVISOR_NONE;
}

void hardware_fw_cfg_select(uint16_t key)
{
	port_out_word(FW_CFG_SELECT_PORT, key);
}

void hardware_fw_cfg_read(void *to, size_t n)
{
	port_in_bytes(FW_CFG_DATA_PORT, to, n);
}

bool hardware_has_debug_console(void)
{
	uint8_t value;

	port_in_bytes(DEBUG_CONSOLE_PORT, &value, sizeof value);
	return value == DEBUG_CONSOLE_PORT; /* what the device reads as, its option "readback" */
}

void hardware_debug_write(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		port_out_byte(DEBUG_CONSOLE_PORT, (uint8_t)bytes[i]);
}

void hardware_debug_exit(uint8_t value)
{
	port_out_byte(DEBUG_EXIT_PORT, value);
}
