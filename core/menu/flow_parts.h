/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/flow.h"

/* What the steps of flows have in common. */

/* Sets what a pick shows of the flow. */
void flow_prepare(struct menu *, struct pick *, const char *ask);

/* Makes the line of what was chosen so far. */
void flow_compose(struct menu *);

/* Asks the command about a candidate, which is put to where the chosen name will be. */
bool flow_possible_as(struct menu *, char *name, size_t name_bytes, const char *candidate,
		      char *why, size_t why_bytes);
