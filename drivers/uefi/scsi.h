/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * For the time between the two calls, a reset of this disk goes to its adapter without EDK2's SCSI
 * bus driver (scsi.c). Nothing is changed for a disk that is not on a SCSI bus, or NULL. One disk
 * at a time; both calls from one function.
 */
void scsi_reset_begin(EFI_HANDLE disk);
void scsi_reset_end(void);
