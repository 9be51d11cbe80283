/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions, of processors whose firmware has no EFI_MP_SERVICES_PROTOCOL, so that there are none
 * but those of the boot processor.
 */
#include "hardware.h"

uint32_t hardware_exceptions(void)
{
	return 0;
}

struct hardware_exception hardware_exception_of(unsigned vector, const void *context)
{
	(void)vector;
	(void)context;
	return (struct hardware_exception){ 0 };
}
