#pragma once

#include "platform/platform.h"

/*
 * States what must be true whatever an image, the firmware or the keyboard says: a false one is a
 * mistake in this program, and going on could write wrong data. Never for conditions that come from outside.
 */
#define CHECK(condition) \
	((condition) ? (void)0 : platform_panic(#condition, __FILE__, __LINE__))
