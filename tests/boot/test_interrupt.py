# SPDX-License-Identifier: BSD-2-Clause
"""Ctrl-C during every command that can take long: it ends soon and changes nothing."""

import random
import re
import subprocess
from dataclasses import dataclass

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.gate import Gate
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

DATA_BYTES = 32 * MIB
MIDDLE = 8 * MIB  # read or written by a command: then the machine is stopped, and Ctrl-C is pressed
SOON = 8 * MIB  # read or written after that: one second on a slow stick
POLLS = 4  # requests that pass slowly then, so that the firmware's timer looks for keys in between
CREATE = r"efi-img create -f raw fs1:\long.raw 1G"


@dataclass
class Case:
    """
    A command line that is stopped, and the images that it works on; none of them may show anything
    else afterwards. `made` is the file that must not be left. `bytes`: the images must not even
    have another byte.
    """

    line: str
    images: tuple
    made: str = ""
    bytes: bool = True


CASES = {
    "convert": Case("convert -p -O qcow2 disk.raw new.qcow2", ("disk.raw",), "new.qcow2"),
    "convert-raw": Case("convert -p -O raw base.qcow2 new.raw", ("base.qcow2",), "new.raw"),
    "convert-deflate": Case(
        "convert -p -c -O qcow2 disk.raw packed.qcow2", ("disk.raw",), "packed.qcow2"
    ),
    "dd": Case("dd bs=1M if=disk.raw of=part.raw", ("disk.raw",), "part.raw"),
    "compare": Case("compare -p disk.raw base.qcow2", ("disk.raw", "base.qcow2")),
    "check": Case("check tables.qcow2", ("tables.qcow2",)),
    "map": Case("map tables.qcow2", ("tables.qcow2",)),
    "measure": Case("measure -O qcow2 tables.qcow2", ("tables.qcow2",)),
    "commit": Case("commit -p over.qcow2", ("over.qcow2",), bytes=False),
    "rebase": Case('rebase -p -b "" thin.qcow2', ("thin.qcow2",), bytes=False),
    "snapshot": Case("snapshot -c one tables2.qcow2", ("tables2.qcow2",), bytes=False),
    "resize": Case("resize -f raw short.raw +1G", ("short.raw",), bytes=False),
}


def qemu_io(image, commands):
    text = "".join(f"{command}\n" for command in commands)
    subprocess.run(["qemu-io", image], input=text, text=True, check=True, stdout=subprocess.DEVNULL)


def make_images(place):
    """Images with DATA_BYTES of data or of tables."""
    place.mkdir()
    noise = random.Random(1).randbytes(MIB)
    (place / "disk.raw").write_bytes(
        b"".join(number.to_bytes(8, "big") + noise[8:] for number in range(DATA_BYTES // MIB))
    )
    (place / "short.raw").write_bytes(noise)
    oracle.qemu_img("convert", "-O", "qcow2", "disk.raw", "base.qcow2", cwd=place)
    oracle.qemu_img("create", "-q", "-f", "qcow2", "bottom.qcow2", DATA_BYTES, cwd=place)
    # over.qcow2 has something everywhere, bottom.qcow2 nothing; thin.qcow2 has nothing, base.qcow2
    # something.
    for name, backing in (("over", "bottom"), ("thin", "base")):
        oracle.make_overlay(place, f"{name}.qcow2", f"{backing}.qcow2")
    qemu_io(
        place / "over.qcow2",
        [f"write -P {at % 255 + 1} {at}M 1M" for at in range(DATA_BYTES // MIB)],
    )
    # Tables of that size: zero clusters without a place, 8 GiB for each MiB.
    oracle.qemu_img("create", "-q", "-f", "qcow2", "tables.qcow2", DATA_BYTES * 8192, cwd=place)
    qemu_io(place / "tables.qcow2", [f"write -z {at}G 1G" for at in range(DATA_BYTES * 8 // MIB)])
    (place / "tables2.qcow2").write_bytes((place / "tables.qcow2").read_bytes())
    return place


@pytest.fixture(scope="module")
def made(place, program, make_stick):
    """All of it. The volumes: fs0: the stick, fs1: an empty one, fs2: the one with the images."""
    stick = make_stick()
    work, empty = (Volume(disks.make_disk(place / name, 2048 * MIB)) for name in ("work", "empty"))
    for volume in (work, empty):
        volume.format(32, cluster=4096)
    work.put(program, "/efi-img.efi")
    for image in make_images(place / "images").iterdir():
        work.put(image, f"/{image.name}")
    stick.put(f"{CREATE}\r\necho THE SCRIPT WENT ON\r\n".encode(), "/long.nsh")
    of_work, of_empty = Gate(), Gate()
    drives = [
        Drive("usb", stick.image),
        Drive("nvme", work.image, gate=of_work),
        Drive("ahci", empty.image, gate=of_empty),
    ]
    result = {"empty": empty, "work": work, "cases": {}}
    with Machine(place / "machine", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        result["break"] = interrupt(machine, shell, of_empty, "long.nsh")
        result["left"] = shell.run(r"ls fs1:\ ")
        result["keyboard"] = at_the_keyboard(machine, shell, of_empty, CREATE)
        shell.run("fs2:")
        for name, case in CASES.items():
            result["cases"][name] = interrupt(machine, shell, of_work, f"efi-img {case.line}")
        said = shell.run(r"efi-img create -q -f qcow2 fs1:\after.qcow2 1G")
        result["after"] = said, shell.status()
        shell.power_off()
    return result


def interrupt(machine, shell, gate, line):
    """Types a line and stops it; returns its text, its exit code, and the bytes it still moved."""
    gate.crawl(MIDDLE)
    shell.type(line)
    with shell.stopped_at(gate):
        machine.send_stopped(CTRL_C)
        before = gate.passed
        gate.crawl(0, POLLS)
    text = shell.prompt()
    passed = gate.passed - before
    return text, shell.status(), passed


def at_the_keyboard(machine, shell, gate, line):
    """The same with the machine's own keyboard."""
    gate.crawl(MIDDLE)
    shell.type(line)
    shell.wait_reached(gate)
    machine.press("ctrl", "c")
    before = gate.passed
    gate.crawl(0, POLLS)
    text = shell.prompt()
    passed = gate.passed - before
    return text, shell.status(), passed


def test_ctrl_c_stops_the_script(made):
    text, status, passed = made["break"]
    assert "THE SCRIPT WENT ON" not in text
    assert status != 0 and passed < SOON, passed


def test_ctrl_c_on_the_keyboard(made):
    text, status, passed = made["keyboard"]
    assert re.search("efi-img: .*stopped", text), text
    assert status == 1 and passed < SOON, passed


def test_ctrl_c_leaves_no_file(made):
    assert "long.raw" not in made["left"]
    assert made["empty"].names() == ["after.qcow2"]
    assert made["empty"].fsck() == ""


def test_the_other_disks_still_work_afterwards(made):
    assert made["after"] == ("", 0)


@pytest.mark.parametrize("name", CASES)
def test_every_command_can_be_stopped(made, name):
    text, status, passed = made["cases"][name]
    assert status == (4 if name == "compare" else 1)
    assert re.search("efi-img: .*stopped", text), text
    assert passed < SOON, passed


@pytest.mark.parametrize("name", CASES)
def test_a_stopped_command_leaves_what_was_there(place, made, name):
    case, work, before = CASES[name], made["work"], place / "images"
    assert case.made not in work.names()
    after = place / "after"
    after.mkdir(exist_ok=True)
    for image in case.images:
        copy = work.copy_out(f"/{image}", after / image)
        if case.bytes:
            assert copy.read_bytes() == (before / image).read_bytes()
            continue
        form = "raw" if copy.suffix == ".raw" else "qcow2"
        backing = oracle.info(before / image, form).get("backing-filename")
        if backing:
            work.copy_out(f"/{backing}", after / backing)
            oracle.check_image(after / backing, "qcow2")
        oracle.check_image(copy, form)
        assert (
            oracle.info(copy, form)["virtual-size"]
            == oracle.info(before / image, form)["virtual-size"]
        )
        assert "snapshots" not in oracle.info(copy, form)
        oracle.qemu_img("compare", "-f", form, "-F", form, before / image, copy)
    assert work.fsck() == ""
