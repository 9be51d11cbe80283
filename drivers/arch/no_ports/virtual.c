/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual machines of processors that do not tell whether they are virtual. Where QEMU has its
 * fw_cfg there depends on the machine, so that it is not used, and there is no port to end QEMU by.
 */
#include "base/memory.h"
#include "hardware.h"

enum hypervisor hardware_hypervisor(void)
{
	return HYPERVISOR_UNKNOWN;
}

void hardware_fw_cfg_select(uint16_t key)
{
	(void)key;
}

void hardware_fw_cfg_read(void *to, size_t n)
{
	memset(to, 0, n);
}

bool hardware_has_debug_console(void)
{
	return false;
}

void hardware_debug_write(const char *bytes, size_t n)
{
	(void)bytes;
	(void)n;
}

void hardware_debug_exit(uint8_t value)
{
	(void)value;
}
