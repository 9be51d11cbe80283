/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other processors, through EFI_MP_SERVICES_PROTOCOL (PI 1.7, volume 2, chapter 13).
 *
 * Each processor is started once per command and stays in run() until the end: a start takes 10 ms
 * and more, and EDK2 notices only every 100 ms that a processor has returned. Meanwhile it is fed
 * through memory (engine/workers.h). On such a processor nothing of the firmware may be called, not
 * even Stall(), so that it waits by spinning.
 *
 * It works on a stack of its own: the firmware's may be small (EDK2: 32 KiB), and an overflow of it
 * would change what lies below unnoticed. The lowest page of ours is a guard, filled at the start
 * and compared at the end. It is not a page without access: the exception of that would need a
 * stack, too. Other exceptions are reported (exceptions.h).
 *
 * Firmware without the protocol, or that refuses to start a processor after the boot devices were
 * connected, leaves all work to the boot processor.
 */
#include <efi.h>

#include "processors.h"

#include "base/check.h"
#include "base/memory.h"
#include "exceptions.h"
#include "firmware.h"
#include "hardware.h"
#include "platform/processors.h"
#include "protocol/mp_services.h"

enum { OTHERS_MAX = 16, STEP_US = 20, RETURN_SECONDS = 5, SECOND_US = 1000000 };
enum { STACK_BYTES = 64 << 10, GUARD_BYTES = 4096, GUARD = 0xa5 };

/* The processors that platform_processors_start() has started. Static: run() outlives its frame. */
static EFI_MP_SERVICES_PROTOCOL *services;
static UINTN boot_processor;
static struct other {
	UINTN number; /* the firmware's */
	size_t n;     /* the argument of run() */
	EFI_EVENT returned;
	void (*run)(void *arg, size_t n);
	void *arg;
	uint8_t *stack; /* STACK_BYTES; the guard comes first */
} others[OTHERS_MAX];
static size_t n_others;

static void work(void *arg)
{
	struct other *other = arg;

	other->run(other->arg, other->n);
}

static VOID EFIAPI enter(VOID *arg)
{
	struct other *other = arg;

	hardware_call_on_stack(other->stack + STACK_BYTES, work, other);
}

static bool is_usable(UINTN number)
{
	EFI_PROCESSOR_INFORMATION info = { 0 };
	UINT32 flags = PROCESSOR_AS_BSP_BIT | PROCESSOR_ENABLED_BIT | PROCESSOR_HEALTH_STATUS_BIT;
	EFI_STATUS efi = services->GetProcessorInfo(services, number, &info);

	return efi == EFI_SUCCESS &&
	       (info.StatusFlag & flags) == (PROCESSOR_ENABLED_BIT | PROCESSOR_HEALTH_STATUS_BIT);
}

/* Starts one processor; returns whether it did. */
static bool start(struct other *other)
{
	EFI_STATUS efi = firmware.services->CreateEvent(0, 0, NULL, NULL, &other->returned);

	if (efi != EFI_SUCCESS)
		return false;
	other->stack = io_alloc(STACK_BYTES);
	if (other->stack != NULL) {
		memset(other->stack, GUARD, GUARD_BYTES);
		efi = services->StartupThisAP(services, enter, other->number, other->returned, 0,
					      other, NULL);
		if (efi == EFI_SUCCESS)
			return true;
		io_free(other->stack, STACK_BYTES);
	}
	/* fails only for an invalid event */
	(void)firmware.services->CloseEvent(other->returned);
	return false;
}

size_t platform_processors_start(size_t least, size_t most, void (*run)(void *arg, size_t n),
				 void *arg)
{
	UINTN all = 0, enabled = 0;

	n_others = 0;
	services = LOCATE(EFI_MP_SERVICES_PROTOCOL);
	if (services == NULL ||
	    services->GetNumberOfProcessors(services, &all, &enabled) != EFI_SUCCESS ||
	    enabled <= least || services->WhoAmI(services, &boot_processor) != EFI_SUCCESS)
		return 0;
	exceptions_take();
	for (UINTN number = 0; number < all && n_others < most && n_others < OTHERS_MAX; number++) {
		struct other *other = &others[n_others];

		*other = (struct other){
			.number = number, .n = n_others + 1, .run = run, .arg = arg
		};
		if (is_usable(number) && start(other))
			n_others++;
	}
	if (n_others == 0)
		exceptions_leave();
	return n_others;
}

static bool has_returned(const struct other *other)
{
	for (unsigned waited = 0; waited < RETURN_SECONDS * (SECOND_US / STEP_US); waited++) {
		if (firmware.services->CheckEvent(other->returned) == EFI_SUCCESS)
			return true;
		exceptions_check();
		(void)firmware.services->Stall(STEP_US); /* always succeeds */
	}
	return false;
}

static bool guard_is_whole(const uint8_t *stack)
{
	for (size_t i = 0; i < GUARD_BYTES; i++)
		if (stack[i] != GUARD)
			return false;
	return true;
}

/* Disabling and enabling resets it. If that fails, it keeps spinning, on a stack that it keeps. */
static bool reset(const struct other *other)
{
	if (services->EnableDisableAP(services, other->number, FALSE, NULL) != EFI_SUCCESS)
		return false;
	(void)services->EnableDisableAP(services, other->number, TRUE, NULL);
	return true;
}

void platform_processors_stop(void)
{
	for (; n_others > 0; n_others--) {
		struct other *other = &others[n_others - 1];
		bool ended = has_returned(other) || reset(other);

		CHECK(guard_is_whole(other->stack));
		if (ended)
			io_free(other->stack, STACK_BYTES);
		(void)firmware.services->CloseEvent(other->returned);
	}
	exceptions_leave();
}

void processors_abandon(void)
{
	for (; n_others > 0; n_others--)
		(void)reset(&others[n_others - 1]);
	exceptions_leave();
}

uint64_t processors_own_number(void)
{
	UINTN number;

	return services != NULL && services->WhoAmI(services, &number) == EFI_SUCCESS
		       ? number
		       : boot_processor;
}

bool processors_is_boot(void)
{
	return processors_own_number() == boot_processor;
}

/*
 * Waits some microseconds between two reads of a shared word, which would slow down the processor
 * that writes it. Not by PAUSE: for each of them QEMU's emulation (TCG) takes the lock that its
 * devices need as well, and copies took twice as long.
 */
static void spin_pause(void)
{
	for (volatile unsigned i = 0; i < 500; i++)
		;
}

bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds)
{
	for (uint64_t waited_us = 0; atomic_load(word) == seen; waited_us += STEP_US) {
		if (milliseconds == 0) {
			spin_pause();
			continue;
		}
		exceptions_check();
		if (waited_us >= (uint64_t)milliseconds * 1000)
			return false;
		(void)firmware.services->Stall(STEP_US);
	}
	return true;
}

/* Nothing to do: waiting is spinning on the word. */
void platform_word_wake(const atomic_uint_least32_t *word)
{
	(void)word;
}
