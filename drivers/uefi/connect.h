/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Connects drivers to every controller, except for networks and displays. Only the first call does
 * something. Firmware that is set to boot fast has connected only the device that it has started
 * efi-img from; all other disks have no handle until then.
 */
void connect_all(void);
