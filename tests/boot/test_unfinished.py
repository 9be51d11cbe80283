# SPDX-License-Identifier: BSD-2-Clause
"""
A capture that was stopped: in firmware, too, it is no image for any command, its journal is
safe, and --resume completes it.
"""

import random
import re
from types import SimpleNamespace

import pytest

from oracle import qemu_img
from rig import disks
from rig.disks import MIB
from rig.gate import Gate
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

STOPPED, REFUSED = 15, 12
SIZE = 24 * MIB
CAPTURE = "efi-img convert -p -O raw serial=SOURCE half.raw"
PRECIOUS = b"\0precious" * 90
UNFINISHED = "half.raw: this disk image is unfinished"

REFUSES = {
    "convert": "efi-img convert -f raw -O qcow2 half.raw other.qcow2",
    "restore": "efi-img convert -n half.raw serial=TARGET",
    "plan": "efi-img convert -n --dry-run half.raw serial=TARGET",
    "target": "efi-img convert -n small.raw half.raw",
    "dd": "efi-img dd if=half.raw of=other.raw",
    "check": "efi-img check half.raw",
    "compare": "efi-img compare half.raw serial=SOURCE",
    "resize": "efi-img resize -f raw half.raw 25M",
    "backing": "efi-img create -f qcow2 -b half.raw -F raw other.qcow2",
}


@pytest.fixture(scope="module")
def ended(place, make_stick):
    content = random.Random(11).randbytes(SIZE)
    stick = make_stick()
    for file, bytes_of in (
        ("/small.raw", bytes(MIB)),
        ("/alone.qcow2.resume.new", PRECIOUS),
        ("/nul.qcow2.resume", PRECIOUS),
    ):
        stick.put(bytes_of, file)
    images = {name: disks.make_disk(place / f"{name}.img", SIZE) for name in ("SOURCE", "TARGET")}
    images["SOURCE"].write_bytes(content)
    source = Drive("usb", images["SOURCE"], "SOURCE", gate=Gate())
    drives = [
        Drive("nvme", stick.image, "STICK"),
        source,
        Drive("ahci", images["TARGET"], "TARGET"),
    ]
    said = {}
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        for name in ("alone", "nul"):
            said[name] = (
                shell.run(f"efi-img convert -O qcow2 serial=SOURCE {name}.qcow2"),
                shell.status(),
            )
        source.gate.crawl(8 * MIB)
        shell.type(CAPTURE)
        with shell.stopped_at(source.gate):
            machine.send_stopped(CTRL_C)
        said["stopped"] = shell.prompt(), shell.status()
        said["info"] = shell.run("efi-img info half.raw"), shell.status()
        for name, line in REFUSES.items():
            said[name] = shell.run(line), shell.status()
        said["files"] = shell.run("ls -b")
        shell.power_off()
    half, journal = stick.get("/half.raw"), stick.get("/half.raw.resume")
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        said["resumed"] = shell.run(CAPTURE + " --resume"), shell.status()
        said["then"] = shell.run("ls -b")
        shell.power_off()
    (place / "half.raw").write_bytes(stick.get("/half.raw"))
    return SimpleNamespace(
        said=said,
        content=content,
        images=images,
        stick=stick,
        half=half,
        journal=journal,
        image=place / "half.raw",
    )


def test_it_says_what_it_is(ended):
    said, status = ended.said["stopped"]
    assert status == STOPPED and "with --resume continues from there" in said
    assert (
        ended.half.startswith(b"efi-img: this disk image is not finished\n")
        and ended.half[510:512] != b"\x55\xaa"
    )
    assert b'"journal-version": 2' in ended.journal and b'"done": 0,' not in ended.journal


def test_info(ended):
    said, status = ended.said["info"]
    assert status == 1 and "MiB of 24 MiB of serial=SOURCE are copied" in said
    assert "efi-img convert --resume -O raw serial=SOURCE half.raw" in said


@pytest.mark.parametrize("name", REFUSES)
def test_it_is_refused(ended, name):
    said, status = ended.said[name]
    assert status != 0 and UNFINISHED in said.replace("\n", ""), said


def test_nothing_was_touched(ended):
    assert "other" not in ended.said["files"]
    assert ended.images["TARGET"].read_bytes() == bytes(SIZE)


@pytest.mark.parametrize(
    "name, file", [("alone", "/alone.qcow2.resume.new"), ("nul", "/nul.qcow2.resume")]
)
def test_foreign_files(ended, name, file):
    said, status = ended.said[name]
    assert status == 1 and re.search("this is another file|the file is not a journal", said)
    assert ended.stick.get(file) == PRECIOUS


def test_resumed(ended):
    said, status = ended.said["resumed"]
    assert status == 0 and "no such journal" not in said, said
    assert "half.raw.resume" not in ended.said["then"]
    assert ended.image.read_bytes() == ended.content == ended.images["SOURCE"].read_bytes()
    assert ended.stick.fsck() == ""
    qemu_img("compare", "-f", "raw", "-F", "raw", ended.image, ended.images["SOURCE"])
