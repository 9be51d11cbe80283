/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/devices.h"

/*
 * The devices of a made-up machine, for platform_devices(). They are copied each time, texts and
 * names through mem_alloc(); their blks are lent by the test, which closes them. `names` is one
 * text with blanks between the names.
 */
struct sim_device {
	const char *names;
	struct device device;
};

/* `devices` stays the test's own; n = 0: a machine without any. */
void sim_machine(const struct sim_device *devices, size_t n);

/* How often the machine was looked at since sim_machine(). */
unsigned sim_machine_looks(void);

/* Until then, platform_devices() ends with that. */
void sim_machine_unknown(enum status);

/*
 * Of the device at that index: the file of the simulated volume that has its bytes, instead of a
 * blk (NULL: none, and nothing can be written to it), and how the names of the files begin that are
 * on it (NULL: none are). Until the next sim_machine().
 */
void sim_machine_files(size_t index, const char *file, const char *holds);

/* Storage controllers without a driver, the first n of `idle`. Until the next sim_machine(). */
void sim_machine_idle(const struct idle_controller *idle, size_t n);
