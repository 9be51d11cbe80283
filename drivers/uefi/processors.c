/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other processors (PI 1.7, volume 2, chapter 13). Each is started once and stays in run()
 * until the job is done: a start takes 10 ms and more, and that one has returned is noticed by a
 * timer of 100 ms. Firmware without the protocol, or that starts nobody after boot devices are
 * connected, leaves the boot processor alone.
 */
#include <efi.h>

#include "processors.h"

#include "firmware.h"
#include "platform/processors.h"
#include "protocol/mp_services.h"

enum { OTHERS_MAX = 16, STEP_US = 20, RETURN_SECONDS = 5, SECOND_US = 1000000 };

static EFI_MP_SERVICES_PROTOCOL *services;
static UINTN boot_processor;
static struct other {
	UINTN number; /* as the firmware counts */
	size_t n;     /* as run() is told */
	EFI_EVENT returned;
	void (*run)(void *arg, size_t n);
	void *arg;
} others[OTHERS_MAX];
static size_t n_others;

static VOID EFIAPI enter(VOID *arg)
{
	struct other *other = arg;

	other->run(other->arg, other->n);
}

static bool is_usable(UINTN number)
{
	EFI_PROCESSOR_INFORMATION info = { 0 };
	UINT32 flags = PROCESSOR_AS_BSP_BIT | PROCESSOR_ENABLED_BIT | PROCESSOR_HEALTH_STATUS_BIT;
	EFI_STATUS efi = services->GetProcessorInfo(services, number, &info);

	return efi == EFI_SUCCESS &&
	       (info.StatusFlag & flags) == (PROCESSOR_ENABLED_BIT | PROCESSOR_HEALTH_STATUS_BIT);
}

/* Whether it has begun to run `other`. */
static bool start(struct other *other)
{
	EFI_STATUS efi = firmware.services->CreateEvent(0, 0, NULL, NULL, &other->returned);

	if (efi != EFI_SUCCESS)
		return false;
	efi = services->StartupThisAP(services, enter, other->number, other->returned, 0, other,
				      NULL);
	if (efi == EFI_SUCCESS)
		return true;
	/* it fails for what is no event only */
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
	for (UINTN number = 0; number < all && n_others < most && n_others < OTHERS_MAX; number++) {
		struct other *other = &others[n_others];

		*other = (struct other){
			.number = number, .n = n_others + 1, .run = run, .arg = arg
		};
		if (is_usable(number) && start(other))
			n_others++;
	}
	return n_others;
}

static bool has_returned(const struct other *other)
{
	for (unsigned waited = 0; waited < RETURN_SECONDS * (SECOND_US / STEP_US); waited++) {
		if (firmware.services->CheckEvent(other->returned) == EFI_SUCCESS)
			return true;
		(void)firmware.services->Stall(STEP_US); /* it cannot fail */
	}
	return false;
}

void platform_processors_stop(void)
{
	while (n_others > 0) {
		struct other *other = &others[--n_others];

		/*
		 * Switching it off and on resets it; nothing is left to be done if the firmware
		 * cannot do that.
		 */
		if (!has_returned(other) &&
		    services->EnableDisableAP(services, other->number, FALSE, NULL) == EFI_SUCCESS)
			(void)services->EnableDisableAP(services, other->number, TRUE, NULL);
		(void)firmware.services->CloseEvent(other->returned);
	}
}

bool processors_is_boot(void)
{
	UINTN number;

	return n_others == 0 ||
	       (services->WhoAmI(services, &number) == EFI_SUCCESS && number == boot_processor);
}

/*
 * Some microseconds between two looks, in which little of what processors share is used. No PAUSE:
 * QEMU's emulation (TCG) takes the lock for each that its devices need as well, and copies took
 * twice as long.
 */
static void breathe(void)
{
	for (volatile unsigned i = 0; i < 500; i++)
		;
}

bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds)
{
	for (uint64_t waited_us = 0; atomic_load(word) == seen; waited_us += STEP_US) {
		if (milliseconds == 0) {
			breathe();
			continue;
		}
		if (waited_us >= (uint64_t)milliseconds * 1000)
			return false;
		(void)firmware.services->Stall(STEP_US);
	}
	return true;
}

/* Whoever waits looks at the word all the time. */
void platform_word_wake(const atomic_uint_least32_t *word)
{
	(void)word;
}
