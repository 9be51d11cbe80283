/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/status.h"

/*
 * Reads the script that was handed to this virtual machine from outside: QEMU's fw_cfg file
 * opt/org.efi-img/job, otherwise the OEM strings (SMBIOS type 11) that begin with "efi-img.job=",
 * one line each. On a real machine neither is read.
 *
 * On success *ret has *ret_n bytes and is freed with mem_free(). *ret_from names the source, a
 * constant; it is set on every error but ST_NOT_FOUND. Statuses: ST_NOT_FOUND (there is no script),
 * ST_TOO_LARGE (longer than `most` bytes), ST_NO_MEMORY.
 */
enum status virtual_machine_job(size_t most, const char **ret_from, char **ret, size_t *ret_n);
