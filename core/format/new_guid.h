/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/guid.h"

/*
 * Makes the GUID of a new image, or of a new state of one: version 4 of RFC 4122, stored as
 * base/guid.h says. Enough to tell images apart, not to keep a secret: it comes from the clocks,
 * `name` (the image's) and `n`, which tells apart those that one image gets at once.
 */
void new_guid(const char *name, unsigned n, struct guid *ret);
