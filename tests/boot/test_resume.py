# SPDX-License-Identifier: BSD-2-Clause
"""
The power fails while a disk is captured, and while an image is restored: --resume goes on, and
the result is whole.
"""

import random
import re

import pytest

from oracle import qemu_img
from rig import disks
from rig.disks import MIB
from rig.gate import Gate
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

STOPPED = 15
CAPTURE = "efi-img convert -p -O qcow2 serial=SOURCE pc.qcow2"
RESTORE = "efi-img convert -p -n pc.qcow2 serial=TARGET --erase=TARGET"
CAPTURED, RESTORED = "pc.qcow2.resume", "pc.qcow2.restore-"  # how the names of the journals begin
MARK = b"efi-img: this disk image is not finished\n"
SIZE = 16 * MIB
EARLY, LATER = 4 * MIB, 4 * MIB  # read or written by a command, and then after a checkpoint


def has_checkpoint(stick, name):
    """Whether the journal on the stick, which the machine may be writing, has something done."""
    try:
        names = [found for found in stick.names() if re.fullmatch(rf"{name}[0-9a-f]*", found)]
        journal = stick.get(f"/{names[0]}") if names else b""
    except RuntimeError:  # the machine is just changing the directory
        return False
    is_whole = b'"journal-version": 2' in journal and journal.endswith(b"}\n")
    return is_whole and b'"done": 0,' not in journal


@pytest.fixture(scope="module")
def ended(place, make_stick):
    """
    What was said along the way; the captured image, the source and the target are on the host then.
    """
    content = random.Random(7).randbytes(SIZE)
    stick = make_stick()
    images = {name: disks.make_disk(place / f"{name}.img", SIZE) for name in ("SOURCE", "TARGET")}
    images["SOURCE"].write_bytes(content)
    on_stick = Drive("nvme", stick.image, "STICK", gate=Gate())
    source = Drive("usb", images["SOURCE"], "SOURCE", gate=Gate())
    target = Drive("ahci", images["TARGET"], "TARGET", gate=Gate())
    said = {}

    def boot():
        return Machine(place / "machine", [on_stick, source, target])

    def enter(machine):
        shell = Shell(machine)
        shell.run("fs0:")
        return shell

    def cut(machine, shell, line, drive, journal=None):
        """Types a line and waits for the moment of the cut: early, or after a checkpoint."""
        if journal:
            drive.gate.crawl(EARLY)
            shell.type(line)
            machine.wait_until(lambda: has_checkpoint(stick, journal), lambda: "checkpoint")
            drive.gate.hold(LATER)
        else:
            drive.gate.hold(EARLY)
            shell.type(line)
        shell.wait_reached(drive.gate)

    def cut_capture(resume, drive, journal=None):
        with boot() as machine:
            cut(machine, enter(machine), CAPTURE + resume, drive, journal)
        assert stick.get("/pc.qcow2").startswith(MARK), "it looks like an image"

    cut_capture("", source)
    cut_capture(" --resume", on_stick)
    cut_capture(" --resume", source, CAPTURED)
    said["cut"] = has_checkpoint(stick, CAPTURED)
    with boot() as machine:
        shell = enter(machine)
        said["again"] = shell.run(CAPTURE), shell.status()
        source.gate.crawl(2 * MIB)
        shell.type(CAPTURE + " --resume")
        with shell.stopped_at(source.gate):
            machine.send_stopped(CTRL_C)
        said["stopped"] = shell.prompt(), shell.status()
        said["captured"] = shell.run(CAPTURE + " --resume"), shell.status()
        said["files"] = shell.run("ls -b")
        cut(machine, shell, RESTORE, target, RESTORED)
    said["cut restore"] = has_checkpoint(stick, RESTORED)
    said["beginning"] = images["TARGET"].read_bytes()[:MIB]
    with boot() as machine:
        shell = enter(machine)
        said["restored"] = shell.run(RESTORE + " --resume"), shell.status()
        said["then"] = shell.run("ls -b")
        shell.power_off()
    (place / "pc.qcow2").write_bytes(stick.get("/pc.qcow2"))
    return said, content, images, place / "pc.qcow2"


@pytest.mark.parametrize("name", ["cut", "cut restore"])
def test_there_is_a_journal(ended, name):
    assert ended[0][name]


def test_it_is_not_written_over(ended):
    said, status = ended[0]["again"]
    assert status == 1 and "--resume continues it" in said


def test_stopped_meanwhile(ended):
    said, status = ended[0]["stopped"]
    assert status == STOPPED and "with --resume continues from there" in said


def test_captured(ended):
    said, content, images, image = ended
    assert said["captured"][1] == 0, said["captured"][0]
    for left in ("resume", "restore-"):
        assert left not in said["files"] and left not in said["then"]
    qemu_img("check", image)
    qemu_img("compare", image, images["SOURCE"])
    assert images["SOURCE"].read_bytes() == content


def test_restored(ended):
    said, content, images, _ = ended
    assert said["restored"][1] == 0, said["restored"][0]
    assert said["beginning"] == bytes(MIB)
    assert images["TARGET"].read_bytes() == content
