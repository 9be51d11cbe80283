/* SPDX-License-Identifier: BSD-2-Clause */
/* A call on another stack (drivers/arch/hardware.h), for the processor of this machine. */
#include "unit.h"

void firmware_hardware_call_on_stack(void *end, void (*function)(void *arg), void *arg);

enum { STACK_BYTES = 64 << 10 };

struct seen {
	uintptr_t address; /* of a variable of the called function */
	unsigned n_calls;
};

__attribute__((no_sanitize("address"))) static void look(void *arg)
{
	struct seen *seen = arg;
	volatile uint8_t here = 0;

	seen->address = (uintptr_t)&here;
	seen->n_calls += 1u + here;
}

static void a_call_on_another_stack(void **state)
{
	uint8_t *stack = test_malloc(STACK_BYTES), *end = stack + STACK_BYTES;
	struct seen seen = { 0 };

	(void)state;
	end -= (uintptr_t)end % 16;
	for (unsigned n = 1; n <= 3; n++) {
		firmware_hardware_call_on_stack(end, look, &seen);
		assert_int_equal(seen.n_calls, n);
		assert_in_range(seen.address, (uintptr_t)stack, (uintptr_t)end - 1);
	}
	test_free(stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_call_on_another_stack) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
