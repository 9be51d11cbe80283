# SPDX-License-Identifier: BSD-2-Clause
r"""
The menu, which comes when the firmware starts \EFI\BOOT\BOOTX64.EFI from the stick. A person at a
serial line makes an image, captures a disk, restores it, checks it, and leaves; with wrong keys,
and a disk that is pulled between two screens. Another one goes through all the rest. What the
screens look like in full is in tests/unit/screens/.
"""

import hashlib
import random
import re
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Partition, Volume
from rig.machine import ENTER, ESCAPE, Drive, Machine
from rig.person import RESULT, START, Person, number_of

SIZE = 8 * MIB
VERIFIED = "verified, identical to"
DOWN = ESCAPE + "[B"


@pytest.fixture(scope="module")
def done(place, program):
    stick = place / "stick.img"
    disks.run(ROOT / "scripts" / "make-usb", program, stick)
    full, blank, pulled = (
        disks.make_disk(place / f"{name}.img", SIZE) for name in ("full", "blank", "pulled")
    )
    disks.write_gpt(full, [Partition(MIB, 4 * MIB, disks.LINUX, "root")])
    with open(full, "r+b") as file:
        file.seek(2 * MIB)
        file.write(random.Random(1).randbytes(MIB))
    before = full.read_bytes()
    drives = [
        Drive("usb", stick, "THE-STICK"),
        Drive("nvme", full, "FULL-1234"),
        Drive("ahci", blank, "BLANK-5678"),
        Drive("usb", pulled, "PULLED-9"),
    ]
    with Machine(place / "machine", drives) as machine:
        person = Person(machine)
        person.seen["start"] = machine.see(START)
        person.machine.send("z")  # says nothing
        person.press("0", "There is no entry 0")
        person.press("?", "Press any key to go back", "help")
        person.press("x", START)

        person.press("4", "Change a setting")
        person.press(ENTER, "Size of the disk")
        person.press("a lot" + ENTER, "a lot")
        person.press("\b" * 5 + "1G" + ENTER, "Where should the new image be")
        person.choose("EFI-IMG", "Choose a directory")
        person.press("1", "disk.qcow2")
        person.press(ENTER, "to start")
        person.result("y" + ENTER, "create")

        person.press("1", "Choose the disk to read")
        person.choose("FULL-1234", "Change a setting")
        person.press(ENTER, "Where should the new image be")
        person.choose("EFI-IMG", "Choose a directory")
        person.press("1", "FULL-1234.qcow2")
        person.press(ENTER, "to start", "capture plan")
        person.result("y" + ENTER, "capture")

        person.press("2", "Choose a volume")
        person.choose("EFI-IMG", "Choose an image")
        person.choose("FULL-1234.qcow2", "Choose the disk to overwrite", "targets")
        machine.unplug(drives[3])
        person.choose("PULLED-9", "Change a setting")
        person.press(ENTER, "Press any key to go back", "pulled")
        person.press("x", "Change a setting")
        person.press("b", "Choose the disk to overwrite")
        marked = re.search("^\\| >.*", machine.screen(), re.MULTILINE)[0]
        person.press(DOWN, rf"^\|  {re.escape(marked[3:])}")
        person.choose("BLANK-5678", "Change a setting")
        person.press(ENTER, "last 4 characters", "erase")
        person.press("1234" + ENTER, "Wrong\\.")
        person.seen["untouched"] = blank.read_bytes()
        person.result("5678" + ENTER, "restore")

        person.press("5", "Choose a volume")
        person.choose("EFI-IMG", "Choose an image")
        person.choose("FULL-1234.qcow2", "Choose a task")
        person.result("1", "check", "Choose a task")
        person.press("b", "Choose an image")
        person.press("b", "Choose a volume")
        person.press("b", START)
        person.press("6", "Choose a task")
        person.press("1", RESULT, "list")
        person.press(ENTER, "Choose a task")
        person.press("b", START)
        person.press("q", "Leave efi-img")
        person.press("y", "Boot Manager")
    return SimpleNamespace(
        seen=person.seen, stick=Volume(stick, MIB, 126 * MIB), full=full, blank=blank, before=before
    )


def test_the_start_says_what_there_is_to_do(done):
    for words in (
        "Create an empty image",
        "Capture a disk",
        "Restore an image",
        "Clone a disk",
        "Work on an image",
        "Tools",
        "? help",
    ):
        assert words in done.seen["start"]


def test_each_screen_fits(done):
    for name, screen in done.seen.items():
        if isinstance(screen, str):
            lines = screen.split("\n")
            assert 23 <= len(lines) <= 24, (name, screen)  # under a result there is no line of keys
            assert (
                all(len(line) <= 79 for line in lines)
                and lines[1].startswith("+-")
                and lines[1].endswith("-+")
            ), (name, screen)


def test_create(done, place):
    assert "Done" in done.seen["create"]
    image = done.stick.copy_out("/disk.qcow2", place / "disk.qcow2")
    oracle.qemu_img("create", "-q", "-f", "qcow2", place / "reference.qcow2", "1G")
    oracle.check_same(image, place / "reference.qcow2", "qcow2")


def test_capture(done, place):
    assert "efi-img capture serial=FULL-1234 fs" in done.seen["capture plan"]
    assert (
        "Done" in done.seen["capture"]
        and "0 writes to the source" in done.seen["capture"]
        and VERIFIED in done.seen["capture"]
    )
    image = done.stick.copy_out("/FULL-1234.qcow2", place / "full.qcow2")
    oracle.qemu_img("check", image)
    oracle.qemu_img("compare", "-f", "qcow2", "-F", "raw", image, done.full)
    assert done.full.read_bytes() == done.before


def test_where_it_cannot_go_is_said(done):
    items = re.split(r"^\|(?= [ >] +(?:\d+|-)  \S)", done.seen["targets"], flags=re.MULTILINE)
    refused = {
        serial: "not possible: efi-img was started from it"
        in " ".join(item.replace("|", "").split())
        for item in items
        for serial in ("THE-STICK", "BLANK-5678", "PULLED-9", "FULL-1234")
        if serial in item.split("\n")[0]
    }
    assert refused == {
        "THE-STICK": True,
        "BLANK-5678": False,
        "PULLED-9": False,
        "FULL-1234": False,
    }, done.seen["targets"]


def test_a_disk_that_was_pulled_is_not_taken_for_another(done):
    assert "Refused" in done.seen["pulled"] and "PULLED-9" in done.seen["pulled"]


def test_restore(done):
    assert "ALL DATA on" in done.seen["erase"] and "--erase=BLANK-5678" in done.seen["erase"]
    assert done.seen["untouched"] == bytes(SIZE)
    assert (
        "Done" in done.seen["restore"]
        and VERIFIED in done.seen["restore"]
        and done.blank.read_bytes() == done.before
    )


def test_results_stay_with_the_path_of_the_log(done):
    for name in ("create", "capture", "restore", "check"):
        path = re.search(r"log fs\d+:\\(efi-img\\logs\\\S+)", done.seen[name])[1]
        text = done.stick.get("/" + path.replace("\\", "/")).decode()
        assert f"---- 1: {name} " in text
    assert "No errors were found" in done.seen["check"] and "BLANK-5678" in done.seen["list"]
    assert done.stick.fsck() == ""


@pytest.fixture(scope="module")
def toured(place, program):
    """Every other path to its end, in a machine that is restarted on the way."""
    directory = place / "tour"
    directory.mkdir()
    stick = directory / "stick.img"
    disks.run(ROOT / "scripts" / "make-usb", program, stick)
    volume = Volume(stick, MIB, 126 * MIB)
    full, blank = (disks.make_disk(directory / f"{name}.img", SIZE) for name in ("full", "blank"))
    with open(full, "r+b") as file:
        file.write(random.Random(2).randbytes(MIB))
    oracle.qemu_img("convert", "-f", "raw", "-O", "qcow2", full, directory / "full.qcow2")
    volume.put(full, "/same.raw")
    volume.mkdir("/many")
    for number in range(40):
        volume.put(directory / "full.qcow2", f"/many/image{number:02}.qcow2")
    nothing = Volume(disks.make_disk(directory / "nothing.img", 4 * MIB)).format(
        12, cluster=2048, label="NOTHING"
    )
    drives = [
        Drive("usb", stick, "THE-STICK"),
        Drive("nvme", full, "FULL-1234"),
        Drive("ahci", blank, "BLANK-5678"),
        Drive("virtio-blk", nothing.image),
    ]
    with Machine(directory / "machine", drives, reboots=True) as machine:
        person = Person(machine)
        machine.see(START)

        person.press("3", "Choose the disk to read")
        person.choose("FULL-1234", "Choose the disk to overwrite", "clone targets")
        person.choose("BLANK-5678", "Change a setting")
        person.press("1", "not read back")
        person.press(ENTER, "last 4 characters", "clone plan")
        person.result("5678" + ENTER, "clone")

        person.press("5", "Choose a volume")
        person.choose_image("NOTHING", until="directory is empty")
        person.press(ESCAPE, "Choose a volume")
        person.choose_image("EFI-IMG", "many", until="image00")
        person.press("n", "image10", "second page")
        person.press("n", "image20")
        person.press("n", "image33")
        person.press(number_of(machine.screen(), "image33") + ENTER, "Choose a task")
        person.result("2", "describe", "Choose a task")
        person.press("9", "Type delete to start", "delete plan")
        person.result("delete" + ENTER, "delete", "Choose an image")
        person.press("b", "same.raw")
        person.choose("same.raw", "Choose a task")
        person.press("3", "Choose a volume")
        person.choose_image("EFI-IMG", "many", until="image00")
        person.result(number_of(machine.screen(), "image07") + ENTER, "compare", "Choose a task")
        person.press("4", "Choose the disk to compare")
        person.result(number_of(machine.screen(), "BLANK-5678"), "compare disk", "Choose a task")
        person.press("b", "Choose an image")
        person.press("b", "Choose a volume")
        person.press("b", START)

        person.press("6", "Choose a task")
        person.press("2", "Choose the disk to read")
        person.result(number_of(machine.screen(), "FULL-1234"), "speed", "Choose a task")
        person.press("3", "Choose a volume")
        person.choose_image("EFI-IMG", until="same.raw")
        person.result(number_of(machine.screen(), "same.raw"), "hash", "Choose a task")
        person.press("4", "Choose the disk to read")
        person.result(number_of(machine.screen(), "BLANK-5678"), "hash disk", "Choose a task")
        person.press("6", "Choose a log")
        person.press(ENTER, r"logs\\\S+\.log", "log")
        person.press("b", "Choose a log")
        person.press("b", "Choose a task")
        person.press("7", "UEFI shell\\? y = yes")
        person.press("n", "^$")
        person.press("7", "UEFI shell\\? y = yes")
        person.press("y", "^Shell>$")
        person.press("exit" + ENTER, START)
        person.press("6", "Choose a task")
        person.press("8", "Restart the machine\\? y = yes")
        machine.send("y")
        machine.expect("Restarting the machine")  # which is not on the screen for long
        machine.expect("BdsDxe: starting")
        machine.see(START)
        person.press("6", "Choose a task")
        person.press("9", "Switch the machine off\\? y = yes")
        machine.send("y")
        machine.wait_off()
    return SimpleNamespace(seen=person.seen, full=full, blank=blank, images=volume.names("/many"))


def test_clone(toured):
    assert re.search(r"-  NVMe .*FULL-1234", toured.seen["clone targets"]), toured.seen[
        "clone targets"
    ]
    assert "ALL DATA on" in toured.seen["clone plan"]
    assert (
        "efi-img clone --no-verify serial=FULL-1234 serial=BLANK-5678" in toured.seen["clone plan"]
    )
    assert "Done" in toured.seen["clone"] and VERIFIED not in toured.seen["clone"]
    assert toured.blank.read_bytes() == toured.full.read_bytes()


def test_a_list_that_is_longer_than_the_screen(toured):
    assert (
        "image00" not in toured.seen["second page"]
        and "many\\image33.qcow2" in toured.seen["describe"]
    )
    assert "file format: qcow2" in toured.seen["describe"]


def test_delete(toured):
    assert "DELETED" in toured.seen["delete plan"] and "was deleted" in toured.seen["delete"]
    assert "image33.qcow2" not in toured.images and "image32.qcow2" in toured.images


def test_what_looks_and_measures(toured):
    hashes = [
        re.search(r"\b[0-9a-f]{64}\b", toured.seen[name])[0] for name in ("hash", "hash disk")
    ]
    assert hashes == [hashlib.sha256(toured.full.read_bytes()).hexdigest()] * 2
    assert (
        "Images are identical." in toured.seen["compare"]
        and "Images are identical." in toured.seen["compare disk"]
    )
    assert "MB/s" in toured.seen["speed"] and "efi-img" in toured.seen["log"]
