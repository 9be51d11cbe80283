# SPDX-License-Identifier: BSD-2-Clause
"""
The kinds of machines that Machine() can be: what QEMU emulates, what firmware that starts, and what
of it matters to tests.
"""

from dataclasses import dataclass
from pathlib import Path

QEMU = {
    "x86_64": "qemu-system-x86_64",
    "aarch64": "qemu-system-aarch64",
    "ia32": "qemu-system-i386",
    "riscv64": "qemu-system-riscv64",
}


@dataclass(frozen=True)
class Board:
    """A kind of machine. `processor` is the Makefile's ARCH."""

    name: str
    processor: str
    qemu: object  # the name or the path of the program
    options: tuple  # the machine, and where the firmware is not in flash memory, the firmware
    code: Path = None  # of firmware in flash memory: the program, and the first state of variables
    variables: Path = None
    bus: str = "nvme"  # a bus of disks that the firmware has a driver for
    powers_off: bool = True  # not only when told by QEMU
    is_u_boot: bool = False
    shell: Path = None  # a UEFI shell for the stick, where that of the firmware may not do
    fault: str = ""  # of the firmware, because of which some tests fail

    def boot_name(self):
        """The program that firmware starts from a stick by itself (UEFI 2.10, 3.5.1.1)."""
        short = {"x86_64": "X64", "aarch64": "AA64", "ia32": "IA32", "riscv64": "RISCV64"}
        return f"/EFI/BOOT/BOOT{short[self.processor]}.EFI"

    def files(self):
        """What must be there to start it."""
        words = [self.qemu, *self.options, self.code, self.variables]
        return [Path(word) for word in words if str(word).startswith("/")]


SECURE_FLASH = (
    *("-global", "driver=cfi.pflash01,property=secure,value=on"),
    *("-global", "ICH9-LPC.disable_s3=1"),
)
ARM = ("-machine", "virt", "-cpu", "cortex-a57")


def edk2(name, processor, code, variables, options, qemu=None, shell=None):
    """A machine with EDK2 in its flash memory. `shell` is used where it exists."""
    return Board(
        name,
        processor,
        qemu or QEMU[processor],
        options,
        code,
        variables,
        shell=shell if shell and shell.is_file() else None,
    )


FAULTS = {
    "x86_64-u-boot-13": "U-Boot 2025.01 takes SATA disks for 512 bytes larger than they are",
}


def u_boot(name, processor, root, folder):
    """A machine with U-Boot of /usr below `root`."""
    options, file, bus = {
        "x86_64": (("-machine", "q35", "-bios"), "u-boot.rom", "ahci"),
        "aarch64": ((*ARM, "-bios"), "u-boot.bin", "virtio-blk"),
        "riscv64": (("-machine", "virt", "-kernel"), "u-boot.bin", "virtio-blk"),
    }[processor]
    return Board(
        name,
        processor,
        QEMU[processor],
        (*options, root / "lib" / "u-boot" / folder / file),
        bus=bus,
        powers_off=processor != "x86_64",
        is_u_boot=True,
        fault=FAULTS.get(name, ""),
    )


def boards_of(suffix, root):
    """Those of the packages of a release, whose /usr is `root`."""
    aavmf, ovmf = root / "share" / "AAVMF", root / "share" / "OVMF"
    return (
        edk2(
            f"aarch64-edk2{suffix}",
            "aarch64",
            aavmf / "AAVMF_CODE.fd",
            aavmf / "AAVMF_VARS.fd",
            ARM,
        ),
        edk2(
            f"ia32-edk2{suffix}",
            "ia32",
            ovmf / "OVMF32_CODE_4M.secboot.fd",
            ovmf / "OVMF32_VARS_4M.fd",
            ("-machine", "q35,smm=on", *SECURE_FLASH),
            # Debian 12's has a shell built in, that of Debian 13 is a package of its own
            shell=root / "share" / "efi-shell-ia32" / "shellia32.efi",
        ),
        u_boot(f"x86_64-u-boot{suffix}", "x86_64", root, "qemu-x86_64"),
        u_boot(f"aarch64-u-boot{suffix}", "aarch64", root, "qemu_arm64"),
        u_boot(f"riscv64-u-boot{suffix}", "riscv64", root, "qemu-riscv64_smode"),
    )


# This machine's own, and those of Debian 13, which scripts/fetch-machines fetches. OVMF of several
# releases is in tests/firmware/.
NEWER = Path(__file__).resolve().parent.parent.parent / "build" / "machines"
RISCV = NEWER / "usr" / "share" / "qemu-efi-riscv64"
BOARDS = {
    board.name: board
    for board in (
        *boards_of("", Path("/usr")),
        *boards_of("-13", NEWER / "usr"),
        edk2(
            "riscv64-edk2-13",
            "riscv64",
            RISCV / "RISCV_VIRT_CODE.fd",
            RISCV / "RISCV_VIRT_VARS.fd",
            ("-machine", "virt"),
            NEWER / "qemu-system-riscv64",
            # It has one built in, which it cannot load a second time: it ends in an exception.
            NEWER / "usr" / "share" / "efi-shell-riscv64" / "shellriscv64.efi",
        ),
    )
}
OVMF = Path("/usr/share/OVMF")
PC = edk2(
    "x86_64-edk2",
    "x86_64",
    OVMF / "OVMF_CODE_4M.fd",
    OVMF / "OVMF_VARS_4M.fd",
    ("-machine", "q35"),
)
# Built with Secure Boot, which is off as long as no keys are enrolled.
SECURE_PC = edk2(
    "x86_64-edk2-secure",
    "x86_64",
    OVMF / "OVMF_CODE_4M.secboot.fd",
    OVMF / "OVMF_VARS_4M.fd",
    ("-machine", "q35,smm=on", *SECURE_FLASH),
)
