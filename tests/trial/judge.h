/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "verdict.h"

/*
 * What must hold of the image in a file; nothing of a file that is none. A qcow2 image is judged by
 * tests/sim/verdict.h, which knows its tables; one of another format by its own `check`, which may
 * find leaks unless nothing may be lost, or, without one, by being opened and loaded.
 */
void judge(const char *name, enum verdict_on);
void judge_all(enum verdict_on); /* all files of the volume */
