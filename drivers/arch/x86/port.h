/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The I/O ports of the processor (port.asm). */

void port_out_byte(uint16_t port, uint8_t value);
void port_out_word(uint16_t port, uint16_t value);

/* Reads the port `n` times, one byte each. */
void port_in_bytes(uint16_t port, void *to, size_t n);
