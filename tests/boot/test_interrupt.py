"""Ctrl-C during every command that can take long, and a stick that is pulled out while a long image is being written."""

import random
import re
import subprocess
import time
from dataclasses import dataclass

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

RATE = 16 * MIB  # bytes per second: a slow stick
SOON = 1.5  # seconds: one, and a half for the shell's prompt and a busy host
DATA_BYTES = 64 * MIB
PROGRESS = r"\([1-9]\d*\.\d\d/100%\)"  # not nothing any more


@dataclass
class Case:
    """
    A command line that is stopped, and the images that it works on; none of them may show anything else afterwards. `made` is
    the file that must not be left. `bytes`: the images must not even have another byte.
    """
    line: str
    images: tuple
    made: str = ""
    bytes: bool = True


CASES = {  # those with -p are stopped when they show progress, the others after a second
    "convert": Case("convert -p -O qcow2 disk.raw new.qcow2", ("disk.raw",), "new.qcow2"),
    "convert-raw": Case("convert -p -O raw base.qcow2 new.raw", ("base.qcow2",), "new.raw"),
    "convert-deflate": Case("convert -p -c -O qcow2 disk.raw packed.qcow2", ("disk.raw",), "packed.qcow2"),
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
    """Data that takes seconds to be read or written: as a disk, as tables."""
    place.mkdir()
    noise = random.Random(1).randbytes(MIB)
    (place / "disk.raw").write_bytes(b"".join(number.to_bytes(8, "big") + noise[8:] for number in range(DATA_BYTES // MIB)))
    (place / "short.raw").write_bytes(noise)
    oracle.qemu_img("convert", "-O", "qcow2", "disk.raw", "base.qcow2", cwd=place)
    oracle.qemu_img("create", "-q", "-f", "qcow2", "bottom.qcow2", DATA_BYTES, cwd=place)
    # over.qcow2 has something everywhere, bottom.qcow2 nothing; thin.qcow2 has nothing, base.qcow2 something.
    for name, backing in (("over", "bottom"), ("thin", "base")):
        oracle.qemu_img("create", "-q", "-f", "qcow2", "-b", f"{backing}.qcow2", "-F", "qcow2", f"{name}.qcow2", cwd=place)
    qemu_io(place / "over.qcow2", [f"write -P {at % 255 + 1} {at}M 1M" for at in range(DATA_BYTES // MIB)])
    # 64 MiB of tables: zero clusters without a place.
    oracle.qemu_img("create", "-q", "-f", "qcow2", "tables.qcow2", "512G", cwd=place)
    qemu_io(place / "tables.qcow2", [f"write -z {at}G 1G" for at in range(512)])
    (place / "tables2.qcow2").write_bytes((place / "tables.qcow2").read_bytes())
    return place


@pytest.fixture(scope="module")
def made(place, program, make_stick):
    """
    All of it, with the times it took. The volumes: fs0: the stick, fs1: a slow stick that is pulled out, fs2: and fs3: slow disks.
    """
    stick = make_stick()
    pulled = Volume(disks.make_disk(place / "pulled.img", 2048 * MIB)).format(32, cluster=4096)
    slow = Volume(disks.make_disk(place / "slow.img", 2048 * MIB)).format(32, cluster=4096)
    work = Volume(disks.make_disk(place / "work.img", 2048 * MIB)).format(32, cluster=4096)
    work.put(program, "/efi-img.efi")
    for image in make_images(place / "images").iterdir():
        work.put(image, f"/{image.name}")
    stick.put(b"efi-img create -f raw fs2:\\long.raw 1G\r\necho THE SCRIPT WENT ON\r\n", "/long.nsh")
    drives = [Drive("usb", stick.image), Drive("usb", pulled.image, slow=RATE), Drive("nvme", slow.image, slow=RATE),
              Drive("nvme", work.image, slow=RATE, slow_reads=RATE)]
    result = {"slow": slow, "stick": stick, "work": work, "cases": {}}
    with Machine(place / "machine", drives, deadline=240) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        interrupt(machine, shell, result)
        shell.run("fs3:")
        for name, case in CASES.items():
            result["cases"][name] = stop(machine, shell, case)
        remove(machine, shell, drives[1], result)
        result["after"] = shell.run(r"efi-img create -q -f qcow2 fs2:\after.qcow2 1G"), shell.status()
        shell.power_off()
    return result


def interrupt(machine, shell, result):
    shell.type("long.nsh")
    machine.expect("Formatting")
    time.sleep(2)  # it is in the middle of the gigabyte
    begin = time.monotonic()
    machine.send(CTRL_C)
    result["break"] = shell.prompt(timeout=15)
    result["break seconds"] = time.monotonic() - begin
    result["break status"] = shell.status()
    result["left"] = shell.run(r"ls fs2:\ ")


def stop(machine, shell, case):
    """Types a line, stops it on its way; what it said, its exit code, the seconds it took to stop."""
    shell.type(f"efi-img {case.line}")
    if " -p " in case.line:
        machine.expect(PROGRESS)
    else:
        time.sleep(1)
    begin = time.monotonic()
    machine.send(CTRL_C)
    text = shell.prompt(timeout=15)
    seconds = time.monotonic() - begin
    return text, shell.status(), seconds


def remove(machine, shell, drive, result):
    shell.type(r"efi-img create -f raw fs1:\long.raw 1G")
    machine.expect("Formatting")
    time.sleep(2)
    machine.unplug(drive)
    begin = time.monotonic()
    result["removed"] = shell.prompt()
    result["removed seconds"] = time.monotonic() - begin
    result["removed status"] = shell.status()


def test_ctrl_c_stops_it_soon(made):
    assert made["break seconds"] < SOON


def test_ctrl_c_stops_the_script(made):
    assert "THE SCRIPT WENT ON" not in made["break"]
    assert made["break status"] != 0


def test_ctrl_c_leaves_no_file(made):
    assert "long.raw" not in made["left"]
    assert made["slow"].names() == ["after.qcow2"]
    assert made["slow"].fsck() == ""


def test_a_removed_stick_ends_it_with_an_error(made):
    assert re.search(r"^efi-img: .*long\.raw", made["removed"], re.MULTILINE), made["removed"]
    assert made["removed status"] == 1
    # The firmware itself tries again and again: the shell's own cp takes 36 s to fail here.
    assert made["removed seconds"] < 60


def test_the_other_disks_still_work_afterwards(made):
    assert made["after"] == ("", 0)


@pytest.mark.parametrize("name", CASES)
def test_every_command_can_be_stopped(made, name):
    text, status, seconds = made["cases"][name]
    assert status == (4 if name == "compare" else 1)
    assert re.search("efi-img: .*stopped", text), text
    assert seconds < SOON


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
        assert oracle.info(copy, form)["virtual-size"] == oracle.info(before / image, form)["virtual-size"]
        assert "snapshots" not in oracle.info(copy, form)
        oracle.qemu_img("compare", "-f", form, "-F", form, before / image, copy)
    assert work.fsck() == ""
