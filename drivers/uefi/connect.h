/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Connects drivers to every controller but networks and displays, once in a run: a firmware set to
 * boot fast has connected no more than it needed to start us, and the other disks do not exist for
 * it yet.
 */
void connect_all(void);
