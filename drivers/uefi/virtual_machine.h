/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* What there is in a virtual machine only. */

/* Whether this is one, as its processor says. */
bool virtual_machine(void);

/* Writes a byte to a port. */
void virtual_machine_port(uint16_t port, uint8_t value);

/*
 * A job that whoever runs this virtual machine has put beside it: QEMU's fw_cfg file
 * opt/org.efi-img/job, otherwise the OEM strings (SMBIOS type 11) that begin with "efi-img.job=", a
 * line each. What there is under Secure Boot, or on a real machine, is not looked at. *ret_from
 * says where it is from, *ret is freed with mem_free(). ST_NOT_FOUND: there is none. ST_TOO_LARGE:
 * it has more than `most` bytes. ST_NO_MEMORY.
 */
enum status virtual_machine_job(size_t most, const char **ret_from, char **ret, size_t *ret_n);
