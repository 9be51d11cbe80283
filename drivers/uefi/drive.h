/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "platform/drive.h"

/*
 * Asks a whole disk what platform/drive.h has. Only commands that read are sent: the drive stays as
 * it is. What is not answered, or for which there is no memory, is not known.
 */
void drive_ask(EFI_HANDLE disk, struct drive_facts *ret);

/*
 * Finds the controllers of mass storage that no driver uses, at most IDLE_CONTROLLERS_MAX; returns
 * their number. Everything that can be connected is connected (connect.h).
 */
size_t drive_idle_controllers(struct idle_controller ret[static IDLE_CONTROLLERS_MAX]);
