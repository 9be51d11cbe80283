# SPDX-License-Identifier: BSD-2-Clause
"""
A machine to try efi-img in: disks with partition tables and FAT volumes, QEMU with OVMF, and hands
at the UEFI shell.

disks.py    what is on the disks: FAT volumes (mtools), GPT and MBR
machine.py  QEMU: buses, firmware, screen, keyboard, removal of disks, power cuts
gate.py     a disk whose requests are held: where a machine is stopped or loses its power
shell.py    the UEFI shell, typed at or given a list of commands

Used by scripts/demo, tests/boot and the benchmarks.
"""
