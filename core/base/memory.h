#pragma once

#include <stddef.h>

/* The four functions that a freestanding compiler may call by itself; the platform supplies them. */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
