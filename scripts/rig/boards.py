# SPDX-License-Identifier: BSD-2-Clause
"""
The kinds of machines that Machine() can be: what QEMU emulates, what firmware that starts, and what
of it matters to tests.
"""

from dataclasses import dataclass
from pathlib import Path

AAVMF, OVMF, U_BOOT = (Path("/usr/share/AAVMF"), Path("/usr/share/OVMF"), Path("/usr/lib/u-boot"))


@dataclass(frozen=True)
class Board:
    """A kind of machine. `processor` is the Makefile's ARCH."""

    name: str
    processor: str
    qemu: str
    options: tuple  # the machine, and where the firmware is not in flash memory, the firmware
    code: Path = None  # of firmware in flash memory: the program, and the first state of variables
    variables: Path = None
    bus: str = "nvme"  # a bus of disks that the firmware has a driver for
    powers_off: bool = True  # not only when told by QEMU
    is_u_boot: bool = False

    def boot_name(self):
        """The program that firmware starts from a stick by itself (UEFI 2.10, 3.5.1.1)."""
        short = {"x86_64": "X64", "aarch64": "AA64", "ia32": "IA32", "riscv64": "RISCV64"}
        return f"/EFI/BOOT/BOOT{short[self.processor]}.EFI"

    def files(self):
        """What must be there to start it."""
        return [Path(word) for word in self.options if str(word).startswith("/")] + (
            [self.code, self.variables] if self.code else []
        )


SECURE_FLASH = (
    *("-global", "driver=cfi.pflash01,property=secure,value=on"),
    *("-global", "ICH9-LPC.disable_s3=1"),
)
PC = Board(
    "x86_64-edk2",
    "x86_64",
    "qemu-system-x86_64",
    ("-machine", "q35"),
    OVMF / "OVMF_CODE_4M.fd",
    OVMF / "OVMF_VARS_4M.fd",
)
# Built with Secure Boot, which is off as long as no keys are enrolled.
SECURE_PC = Board(
    "x86_64-edk2-secure",
    "x86_64",
    "qemu-system-x86_64",
    ("-machine", "q35,smm=on", *SECURE_FLASH),
    OVMF / "OVMF_CODE_4M.secboot.fd",
    OVMF / "OVMF_VARS_4M.fd",
)
BOARDS = {
    board.name: board
    for board in (
        Board(
            "aarch64-edk2",
            "aarch64",
            "qemu-system-aarch64",
            ("-machine", "virt", "-cpu", "cortex-a57"),
            AAVMF / "AAVMF_CODE.fd",
            AAVMF / "AAVMF_VARS.fd",
        ),
        Board(
            "ia32-edk2",
            "ia32",
            "qemu-system-i386",
            ("-machine", "q35,smm=on", *SECURE_FLASH),
            OVMF / "OVMF32_CODE_4M.secboot.fd",
            OVMF / "OVMF32_VARS_4M.fd",
        ),
        Board(
            "riscv64-u-boot",
            "riscv64",
            "qemu-system-riscv64",
            ("-machine", "virt", "-kernel", U_BOOT / "qemu-riscv64_smode" / "u-boot.bin"),
            bus="virtio-blk",
            is_u_boot=True,
        ),
        Board(
            "aarch64-u-boot",
            "aarch64",
            "qemu-system-aarch64",
            (
                *("-machine", "virt", "-cpu", "cortex-a57"),
                *("-bios", U_BOOT / "qemu_arm64" / "u-boot.bin"),
            ),
            bus="virtio-blk",
            is_u_boot=True,
        ),
        Board(
            "x86_64-u-boot",
            "x86_64",
            "qemu-system-x86_64",
            ("-machine", "q35", "-bios", U_BOOT / "qemu-x86_64" / "u-boot.rom"),
            bus="ahci",
            powers_off=False,
            is_u_boot=True,
        ),
    )
}
