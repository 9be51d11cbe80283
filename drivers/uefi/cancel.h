/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * Gives the shell its break back, if there was one: finding it took it from the shell, and a script
 * would go on with its next line. Called last, before the program returns.
 */
void cancel_finish(void);
