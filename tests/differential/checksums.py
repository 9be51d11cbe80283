# SPDX-License-Identifier: BSD-2-Clause
"""Checksums of structures that tests change, bit by bit: independent of the tables of the core."""


def crc32c(contents):
    crc = 0xFFFFFFFF
    for byte in contents:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
