/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions on the other processors, through EFI_CPU_ARCH_PROTOCOL (PI 1.7, volume 2, 12.3.6).
 *
 * All processors have the interrupt table of the boot processor. What the firmware does with an
 * exception is a dump on the serial line, if it was built for that and there is one, and a loop
 * without end: a person would see a copy that waits for a processor. So other processors come here.
 * The first one notes what has happened; each stays here, for its work cannot be continued, until
 * it is reset. The boot processor looks while it waits for the others, reports it and ends the
 * program, as CHECK() does.
 *
 * An exception of the boot processor itself is the firmware's: its vector is given back, and the
 * instruction that is executed again brings the firmware's own report.
 */
#include <efi.h>

#include "exceptions.h"

#include <stdatomic.h>

#include "base/out.h"
#include "console.h"
#include "firmware.h"
#include "hardware.h"
#include "processors.h"
#include "protocol/cpu.h"

enum { VECTORS = 32 };

static EFI_CPU_ARCH_PROTOCOL *cpu;
static uint32_t taken;                      /* a bit for each vector that is ours */
static atomic_uint_least32_t noting, noted; /* of a size that every processor can exchange */
static uint64_t processor;
static unsigned vector_noted;
static struct hardware_exception exception;

static VOID EFIAPI handle(INTN vector, VOID *context)
{
	if (processors_is_boot()) {
		taken &= ~(1u << vector);
		/* fails only where there is no handler, and this is one */
		(void)cpu->RegisterInterruptHandler(cpu, vector, NULL);
		return;
	}
	if (atomic_exchange(&noting, 1) == 0) {
		processor = processors_own_number();
		vector_noted = (unsigned)vector;
		exception = hardware_exception_of((unsigned)vector, context);
		atomic_store(&noted, 1);
	}
	for (;;)
		;
}

void exceptions_take(void)
{
	cpu = LOCATE(EFI_CPU_ARCH_PROTOCOL);
	taken = 0;
	for (unsigned vector = 0; vector < VECTORS && cpu != NULL; vector++)
		if ((hardware_exceptions() >> vector & 1) != 0 &&
		    /* refused where another program has the vector: it keeps it */
		    cpu->RegisterInterruptHandler(cpu, (INTN)vector, handle) == EFI_SUCCESS)
			taken |= 1u << vector;
}

void exceptions_leave(void)
{
	for (unsigned vector = 0; vector < VECTORS; vector++)
		if ((taken >> vector & 1) != 0)
			/* fails only where there is no handler, and ours is there */
			(void)cpu->RegisterInterruptHandler(cpu, (INTN)vector, NULL);
	taken = 0;
}

void exceptions_check(void)
{
	uint64_t image = firmware.loaded != NULL ? (uintptr_t)firmware.loaded->ImageBase : 0;
	uint64_t size = firmware.loaded != NULL ? firmware.loaded->ImageSize : 0;
	struct out *err = console_err();
	bool is_ours;

	if (atomic_load(&noted) == 0)
		return;
	is_ours = exception.code - image < size;
	out_printf(err,
		   "\nefi-img: internal error, please report it: exception %u on processor %ju at "
		   "%s0x%jx",
		   vector_noted, processor, is_ours ? "efi-img.efi + " : "",
		   is_ours ? exception.code - image : exception.code);
	if (exception.has_address)
		out_printf(err, ", address 0x%jx", exception.address);
	out_text(err, "\n");
	firmware_abort();
}
