# SPDX-License-Identifier: BSD-2-Clause
"""
What firmware gets wrong, and is seen through, by drivers that make it so.

A volume of a file system that cuts a file off after what is written in its middle, as U-Boot's
FAT does (truncating.c makes it): nothing that goes back is begun there, and what is there stays;
what is written from front to back is done.
And one on which that is not found before: no job reports success.

Devices with blocks of lengths that no disk has (odd_blocks.c).
"""

import json
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = random.Random(1).randbytes(MIB + 512)
FOREIGN = b"somebody else's"
OLD = b"\x11" * 4 * MIB

# What is refused on the one volume, and does not succeed on the other.
MAKES = {
    "create-raw": "create {volume}a.raw 1M",
    "create-qcow2": "create -f qcow2 -o preallocation=full {volume}a.qcow2 1M",
    "convert-raw": "convert -f raw data.raw {volume}b.raw",
    "convert-qcow2": "convert -f raw -O qcow2 data.raw {volume}b.qcow2",
    "split": "convert -f raw --split=1M data.raw {volume}c.raw",
    "dd": "dd -f raw if=data.raw of={volume}d.raw",
    "capture": "convert -f raw -O qcow2 serial=SOURCE {volume}e.qcow2",
    "resize": "resize {volume}old.qcow2 +64M",
    "snapshot": "snapshot -c new {volume}older.qcow2",
}
CUTS = "truncates a file after each write"
STREAM = "subformat=streamOptimized"
BLK_MAX = 16
OPENED_AGAIN = "but the file has 512 bytes when it is opened again"


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    stick.put(DATA, "/data.raw")
    stick.put(ROOT / "build" / "x86_64" / "truncating.efi", "/truncating.efi")
    stick.put(ROOT / "build" / "x86_64" / "odd_blocks.efi", "/odd_blocks.efi")
    volumes = {}
    for name in ("truncates", "hides", "keeps"):
        image = disks.make_disk(place / f"{name}.img", 48 * MIB)
        volumes[name] = Volume(image).format(16, cluster=1024)
    volumes["truncates"].put(DATA, "/data.raw")
    volumes["truncates"].put(FOREIGN, "/efiimg00.tmp")
    images = {
        name: disks.make_disk(place / f"{name}.img", 4 * MIB) for name in ("SOURCE", "NEW", "MAP")
    }
    for image in images.values():
        image.write_bytes(OLD)
    batch = Batch(stick, **volumes)
    steps = {}
    for name in volumes:
        batch.do(f"efi-img convert -f raw -O qcow2 data.raw %{name}%\\old.qcow2")
        batch.do(f"cp -q %{name}%\\old.qcow2 %{name}%\\older.qcow2")
        batch.do(f"cp -q %{name}%\\old.qcow2 {name}.before")
    batch.do("load truncating.efi")
    steps["keeps"] = batch.run(r"efi-img create --force %keeps%\old.qcow2 64k")
    for name in ("truncates", "hides"):
        for job, line in MAKES.items():
            steps[name, job] = batch.run("efi-img " + line.format(volume=f"%{name}%\\"))
    for name, line in {
        "plan": r"convert --dry-run -f raw -O qcow2 data.raw %truncates%\f.qcow2",
        "read": r"compare -f raw -F raw data.raw %truncates%\data.raw",
        "map": r"%onto% --map=%truncates%\g.map data.raw serial=MAP --erase=MAP",
        "restore": r"%onto% %truncates%\data.raw serial=NEW --erase=NEW",
        "stream": rf"convert -f raw -O vmdk -o {STREAM} serial=SOURCE %truncates%\s.vmdk",
    }.items():
        line = line.replace("%onto%", "convert -n -f raw --no-table")
        steps[name] = batch.run("efi-img " + line)
    batch.do("load odd_blocks.efi")
    batch.do("map -r")
    steps["list"] = batch.run("efi-img list --output=json")
    for number in range(BLK_MAX):
        steps["info", number] = batch.run(f"efi-img info -f raw blk{number}:")
    drives = [
        Drive("usb", stick.image, "STICK"),
        *(Drive("nvme", volume.image, name) for name, volume in volumes.items()),
        *(Drive("ahci", image, name) for name, image in images.items()),
    ]
    batch.boot(Machine(place / "machine", drives))
    return SimpleNamespace(steps=steps, stick=stick, volumes=volumes, images=images)


@pytest.mark.parametrize("job", MAKES)
def test_refused_before_the_first_byte(made, job):
    step = made.steps["truncates", job]
    assert step.status != 0 and CUTS in step.err, f"{step.status}: {step.err}"
    assert "Formatting" not in step.out


def test_nothing_has_changed_there(made):
    """
    No other file than the stream was made, nor left by the trial, whose first name somebody else
    has.
    """
    volume = made.volumes["truncates"]
    expected = {"is-truncates", "data.raw", "efiimg00.tmp", "old.qcow2", "older.qcow2", "s.vmdk"}
    assert {name.lower() for name in volume.names()} == expected
    assert volume.get("/efiimg00.tmp") == FOREIGN and volume.get("/data.raw") == DATA
    before = made.stick.get("/truncates.before")
    assert volume.get("/old.qcow2") == before and volume.get("/older.qcow2") == before


def test_reading_is_as_before(made):
    for name in ("plan", "read"):
        assert made.steps[name].status == 0, made.steps[name].err


def test_a_stream_is_captured_there(made, place):
    step = made.steps["stream"]
    assert step.status == 0 and "verified, identical to" in step.out, step.out
    image = made.volumes["truncates"].copy_out("/s.vmdk", place / "s.vmdk")
    oracle.check_image(image, "vmdk")
    oracle.qemu_img("compare", "-f", "raw", "-F", "vmdk", made.images["SOURCE"], image)


def test_a_map_is_refused_before_the_copy(made):
    step = made.steps["map"]
    assert step.status != 0 and CUTS in step.err, f"{step.status}: {step.err}"
    assert made.images["MAP"].read_bytes() == OLD


def test_a_restore_does_without_a_journal(made):
    step = made.steps["restore"]
    assert step.status == 0, step.err
    assert "journal" in step.err and CUTS in step.err
    assert made.images["NEW"].read_bytes()[: len(DATA)] == DATA


@pytest.mark.parametrize("job", MAKES)
def test_what_is_cut_off_unseen(made, job):
    """The last look finds it: each of these has more than 64 KiB, of which 512 bytes are left."""
    step = made.steps["hides", job]
    assert step.status != 0, step.err
    assert OPENED_AGAIN in step.err or job == "split", step.err


def test_a_file_that_does_not_get_shorter(made):
    """What should have been emptied would be the rest of the new image."""
    step = made.steps["keeps"]
    assert step.status == 1 and "cannot empty it" in step.err, f"{step.status}: {step.err}"
    assert made.volumes["keeps"].get("/old.qcow2") == made.stick.get("/keeps.before")


def test_nothing_half_made_stays(made):
    names = {name.lower() for name in made.volumes["hides"].names()}
    assert names == {"is-hides", "old.qcow2", "older.qcow2"}


def test_no_disk_has_such_blocks(made):
    """Of the seven devices, the one with blocks of 512 bytes is listed: the others are not."""
    listed = json.loads(made.steps["list"].out)
    assert made.steps["list"].status == 0, made.steps["list"].err
    ours = [disk for disk in listed if "6D2E1C35" in disk["device-path"].upper()]
    assert [disk["block-size"] for disk in ours] == [512], listed


@pytest.mark.parametrize("length", [0, 1, 256, 768, 2352, 4 * MIB])
def test_such_a_device_is_refused(made, length):
    """By the name that the shell gives it, it is refused, and the reason is told."""
    words = f"has blocks of {length} bytes; efi-img cannot read those"
    said = [made.steps["info", number].err for number in range(BLK_MAX)]
    assert sum(words in err for err in said) == 1, said
