# SPDX-License-Identifier: BSD-2-Clause
"""
`rename` on FAT in OVMF, by the command and by the menu: all files of an image, names that are taken
or invalid, and a directory that has no room for the new name, where EDK2's driver loses a file that
it is asked to rename.
"""

import random
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import MIB
from rig.machine import ENTER, Drive, Machine
from rig.person import START, Person
from rig.shell import Batch

LONG = "a name that needs several entries of the directory.raw"


def fill_root(volume, directory, data):
    """The root of a FAT16 volume has a fixed size: at most 5 of its entries stay free."""
    with open(volume.image, "rb") as file:
        entries = int.from_bytes(file.read(19)[17:], "little")
    directory.mkdir()
    fillers = [directory / f"F{i:03}" for i in range(entries - 6)]
    for path in fillers:
        path.write_bytes(b"x")
    volume.put(data, "/VICTIM.RAW")
    disks.run("mcopy", "-i", volume.drive, *fillers, "::/")


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    full = disks.Volume(disks.make_disk(place / "full.img", 32 * MIB)).format(16, cluster=2048)
    data = random.Random(1).randbytes(3 * MIB + 512)
    stick.put(data, "/data.raw")
    stick.put(data, "/Taken.raw")
    fill_root(full, place / "fillers", data)
    batch = Batch(stick, full=full)
    steps = {
        "split": batch.run("efi-img.efi convert -O raw --split=1M --manifest=a.manifest data.raw a")
    }
    steps["rename"] = batch.run(r"efi-img.efi rename %stick%\a B.x")
    steps["check"] = batch.run("efi-img.efi hash --check=B.x.manifest")
    steps["long"] = batch.run(f'efi-img.efi rename data.raw "{LONG}"')
    steps["taken"] = batch.run(f'efi-img.efi rename "{LONG}" taken.RAW')
    steps["invalid"] = batch.run(f'efi-img.efi rename "{LONG}" a*b')
    steps["full"] = batch.run(rf'efi-img.efi rename %full%\VICTIM.RAW "{LONG}"')
    steps["fits"] = batch.run(r"efi-img.efi rename %full%\VICTIM.RAW VICTIM2.RAW")
    drives = [Drive("usb", stick.image, "STICK"), Drive("virtio-blk", full.image)]
    batch.boot(Machine(place / "machine", drives))
    return SimpleNamespace(steps=steps, stick=stick, full=full, data=data)


def test_all_files(made):
    assert made.steps["split"].status == 0, made.steps["split"].err
    assert made.steps["rename"].status == 0, made.steps["rename"].err
    assert "5 files" in made.steps["rename"].out
    assert made.steps["check"].status == 0, made.steps["check"].err
    names = made.stick.names()
    parts = ["B.x", "B.x.001", "B.x.002", "B.x.003"]
    assert set(parts) | {"B.x.manifest"} <= set(names)
    assert not any(name == "a" or name.startswith("a.") for name in names), names
    assert b"".join(made.stick.get(f"/{part}") for part in parts) == made.data


def test_a_long_name(made):
    assert made.steps["long"].status == 0, made.steps["long"].err
    assert "data.raw" not in made.stick.names() and made.stick.get(f"/{LONG}") == made.data


def test_what_is_refused(made):
    assert made.steps["taken"].status == 1 and "exists already" in made.steps["taken"].err
    assert made.steps["invalid"].status == 1, made.steps["invalid"].out
    assert made.stick.get("/Taken.raw") == made.data


def test_no_room_for_the_name(made):
    """The image is still there, and has got another name that fits."""
    assert made.steps["full"].status == 1 and "is full" in made.steps["full"].err, made.steps[
        "full"
    ].err
    assert made.steps["fits"].status == 0, made.steps["fits"].err
    assert made.full.get("/VICTIM2.RAW") == made.data


def test_the_volumes_are_sound(made):
    assert made.stick.fsck() == "" and made.full.fsck() == ""


def test_by_the_menu(place, program):
    """The eighth task of an image: a name that is taken, then one that is free."""
    image = place / "menu.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image)
    stick = disks.Volume(image, MIB, 126 * MIB)
    oracle.qemu_img("create", "-q", "-f", "qcow2", place / "old.qcow2", "4M")
    for name in ("/old.qcow2", "/taken.qcow2"):
        stick.put(place / "old.qcow2", name)
    with Machine(place / "machine", [Drive("usb", image, "STICK")]) as machine:
        person = Person(machine)
        machine.see(START)
        person.press("5", "Choose a volume")
        person.choose_image("EFI-IMG", "old.qcow2", until="Choose a task")
        person.press("8", "New name")
        person.press("taken" + ENTER, "exists already; choose another name")
        person.press("x", "New name")
        person.press("\b" * 5 + "new" + ENTER, "to start", "plan")
        person.result("y" + ENTER, "renamed", "Choose an image")
        names = machine.screen()
    assert r":\old.qcow2 to fs" in person.seen["plan"], person.seen["plan"]
    assert "was renamed to new.qcow2" in person.seen["renamed"], person.seen["renamed"]
    assert "new.qcow2" in names and "old.qcow2" not in names, names
    assert {"new.qcow2", "taken.qcow2"} <= set(stick.names()) and "old.qcow2" not in stick.names()
    oracle.check_image(stick.copy_out("/new.qcow2", place / "new.qcow2"), "qcow2")
    assert stick.fsck() == ""
