# SPDX-License-Identifier: BSD-2-Clause
"""
list, in a machine with every kind of disk that QEMU and OVMF have between them. One boot, from
the shell.
"""

import json
import re
from types import SimpleNamespace

import jsonschema
import pytest

from conftest import ROOT
from rig import disks
from rig.disks import KIB, MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch, shown_path

# What efi-img calls the buses of the rig.
BUS_NAMES = {
    "nvme": "NVMe",
    "ahci": "SATA",
    "usb": "USB",
    "virtio-blk": "virtio",
    "virtio-scsi": "SCSI",
    "cdrom": "SATA",
}
MODELS = {
    "nvme": "QEMU NVMe Ctrl",
    "ahci": "QEMU HARDDISK",
    "usb": "QEMU",
    "virtio-scsi": "QEMU QEMU HARDDISK",
    "cdrom": "QEMU DVD-ROM",
    "virtio-blk": "",
}


def gpt_disk(place, name, size, block, fat, cluster):
    """
    A GPT with a FAT volume, a partition of Linux and a last one that ends where the GPT allows it.
    """
    image = disks.make_disk(place / f"{name}.img", size)
    partitions = [
        Partition(MIB, size - 12 * MIB, disks.EFI_SYSTEM, f"Grüße {name}"),
        Partition(size - 11 * MIB, 8 * MIB, disks.LINUX, "root"),
    ]
    disks.write_gpt(image, partitions, block)
    volume = Volume(image, MIB, size - 12 * MIB).format(
        fat, cluster=cluster, block=block, label=name.upper()
    )
    volume.put(b"x" * 100000, "/some.bin")
    return SimpleNamespace(
        name=name,
        image=image,
        size=size,
        block=block,
        table="gpt",
        partitions=partitions,
        volume=volume,
        fat=fat,
    )


def mbr_disk(place, name, size):
    """An MBR with a FAT volume and a partition of Linux."""
    image = disks.make_disk(place / f"{name}.img", size)
    partitions = [Partition(MIB, 40 * MIB, 0x0E), Partition(41 * MIB, 10 * MIB, 0x83)]
    disks.write_mbr(image, partitions)
    volume = Volume(image, MIB, 40 * MIB).format(16, cluster=2048, label="OLD")
    return SimpleNamespace(
        name=name,
        image=image,
        size=size,
        block=512,
        table="mbr",
        partitions=partitions,
        volume=volume,
        fat=16,
    )


def empty_disk(place, name, size):
    image = disks.make_disk(place / f"{name}.img", size)
    return SimpleNamespace(
        name=name, image=image, size=size, block=512, table=None, partitions=[], volume=None
    )


def make_disks(place):
    """Serial number (which is the disk's name here too): the disk and its bus."""
    return {
        disk.name: (disk, bus)
        for disk, bus in [
            (gpt_disk(place, "nvme512", 100 * MIB, 512, 16, 4096), "nvme"),
            (gpt_disk(place, "nvme4k", 300 * MIB, 4096, 32, 4096), "nvme"),
            (gpt_disk(place, "sata-9ab", 100 * MIB, 512, 32, 512), "ahci"),
            (mbr_disk(place, "usb512", 64 * MIB), "usb"),
            (gpt_disk(place, "usb4k", 300 * MIB, 4096, 32, 4096), "usb"),
            (gpt_disk(place, "scsi512", 64 * MIB, 512, 16, 2048), "virtio-scsi"),
            (gpt_disk(place, "scsi4k", 100 * MIB, 4096, 16, 16 * KIB), "virtio-scsi"),
            (gpt_disk(place, "virtio512", 32 * MIB, 512, 12, 8 * KIB), "virtio-blk"),
            (gpt_disk(place, "virtio4k", 300 * MIB, 4096, 32, 4096), "virtio-blk"),
            (empty_disk(place, "blank", 5 * MIB + 512), "ahci"),
        ]
    }


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    stick.put(ROOT / "build" / "x86_64" / "naming.efi", "/naming.efi")
    all_disks = make_disks(place)
    batch = Batch(stick)
    batch.do("load naming.efi")  # whose names are not those of the disks
    shell_map = batch.run("map")
    as_json = batch.run("efi-img list --output=json")
    as_text = batch.run("efi-img list")
    drives = [Drive("usb", stick.image, "stick")]
    drives += [Drive(bus, disk.image, disk.name, disk.block) for disk, bus in all_disks.values()]
    drives += [Drive("cdrom", serial="tray")]
    batch.boot(Machine(place / "machine", drives))
    assert (as_json.status, as_json.err, as_text.status, as_text.err) == (0, "", 0, "")
    listed = json.loads(as_json.out)
    jsonschema.validate(listed, json.loads((ROOT / "tests" / "schema" / "list.json").read_text()))
    return SimpleNamespace(
        disks=all_disks, map=parse_map(shell_map.out), listed=listed, text=as_text.out, stick=stick
    )


def parse_map(text):
    """The shell's map: {device path as the shell shows it: its names in lower case}."""
    pairs = re.findall(r"^ *(\S+:) Alias\(s\):(\S*)\n +(\S.*)$", text, re.MULTILINE)
    return {
        path.strip(): {name.lower() for name in re.findall(r"\w+:", first + aliases)}
        for first, aliases, path in pairs
    }


def entry_of(made, name):
    """
    What was listed of a disk: by its serial number, or by its size where the firmware does not
    know that (virtio-blk).
    """
    disk, bus = made.disks[name]
    found = [
        entry for entry in made.listed if entry["bus"] == BUS_NAMES[bus] and entry["serial"] == name
    ]
    if bus == "virtio-blk":
        found = [
            entry
            for entry in made.listed
            if entry["bus"] == BUS_NAMES[bus] and entry["size"] == disk.size
        ]
    assert len(found) == 1, f"{name} is listed {len(found)} times"
    return found[0]


NAMES = [
    "nvme512",
    "nvme4k",
    "sata-9ab",
    "usb512",
    "usb4k",
    "scsi512",
    "scsi4k",
    "virtio512",
    "virtio4k",
    "blank",
]
PARTITIONED = [name for name in NAMES if name != "blank"]


def test_every_disk_is_there_once(made):
    assert len(made.listed) == len(made.disks) + 2  # and the stick, and the CD-ROM drive


@pytest.mark.parametrize("name", NAMES)
def test_disk(made, name):
    disk, bus = made.disks[name]
    entry = entry_of(made, name)
    assert MODELS[bus] in entry["model"]
    assert bool(entry["model"]) == bool(MODELS[bus])
    wanted = {
        "size": disk.size,
        "block-size": disk.block,
        "removable": bus == "usb",
        "read-only": False,
        "medium": True,
        "started-from": False,
        "partition-table": disk.table,
    }
    assert {key: entry[key] for key in wanted} == wanted


@pytest.mark.parametrize("name", PARTITIONED)
def test_partitions(made, name):
    disk, _ = made.disks[name]
    listed = entry_of(made, name)["partitions"]
    assert [(p["number"], p["start"], p["size"]) for p in listed] == [
        (number, p.start, p.size) for number, p in enumerate(disk.partitions, 1)
    ]
    if disk.table == "gpt":
        assert [(p["type"], p["guid"], p["label"]) for p in listed] == [
            (str(p.type), str(p.guid), p.label) for p in disk.partitions
        ]
    else:
        assert [int(p["type"], 16) for p in listed] == [p.type for p in disk.partitions]
    assert all(p["type-name"] for p in listed)


@pytest.mark.parametrize("name", PARTITIONED)
def test_file_system(made, name):
    disk, _ = made.disks[name]
    first, second = entry_of(made, name)["partitions"]
    assert second["filesystem"] is None
    filesystem = first["filesystem"]
    assert filesystem["type"] == f"FAT{disk.fat}"
    assert filesystem["label"] == ("OLD" if disk.table == "mbr" else name.upper())
    assert filesystem["free"] == disk.volume.free()
    assert filesystem["free"] <= filesystem["size"] <= disk.volume.size


def test_the_stick_it_was_started_from(made):
    (stick,) = [entry for entry in made.listed if entry["serial"] == "stick"]
    wanted = {
        "bus": "USB",
        "size": made.stick.size,
        "removable": True,
        "started-from": True,
        "partition-table": None,
        "partitions": [],
    }
    assert {key: stick[key] for key in wanted} == wanted
    assert (stick["filesystem"]["type"], stick["filesystem"]["label"]) == ("FAT32", "STICK")
    started = [entry["serial"] for entry in made.listed if entry["started-from"]]
    assert started == ["stick"]


def test_the_drive_without_a_medium(made):
    (tray,) = [entry for entry in made.listed if entry["serial"] == "tray"]
    wanted = {
        "bus": "SATA",
        "model": "QEMU DVD-ROM",
        "removable": True,
        "medium": False,
        "partitions": [],
    }
    assert {key: tray[key] for key in wanted} == wanted
    assert not tray["size"]


def test_names_are_those_of_the_shell(made):
    everything = [entry for disk in made.listed for entry in [disk, *disk["partitions"]]]
    names = {
        shown_path(entry["device-path"], made.map): set(entry["names"]) for entry in everything
    }
    assert names == made.map
    assert all(entry["name"] == entry["names"][0] for entry in everything)


def test_the_text_names_every_disk(made):
    for name in NAMES:
        entry = entry_of(made, name)
        assert re.search(rf"(^| ){re.escape(entry['name'])}", made.text, re.MULTILINE)
        assert entry["serial"] in made.text
    assert "no medium" in made.text


def test_the_text_fits_on_the_screen(made):
    assert max(len(line) for line in made.text.splitlines()) <= 80


def test_disks_that_the_firmware_did_not_connect(place, make_stick):
    """
    It was set to boot from the stick and has connected nothing else: the disks are there all
    the same, a network card is left alone.
    """
    stick = make_stick()
    batch = Batch(stick)
    before = batch.run("dh -p BlockIO")
    listed = batch.run("efi-img list --output=json")
    after = batch.run("dh -p BlockIO")
    networks = batch.run("dh -p SimpleNetwork")
    drives = [Drive("usb", stick.image, "stick", first=True)]
    drives += [
        Drive(bus, disks.make_disk(place / f"{bus}.img", MIB), bus)
        for bus in ("nvme", "ahci", "usb", "virtio-blk", "virtio-scsi")
    ]
    batch.boot(
        Machine(place / "machine", drives, more=("-device", "virtio-net-pci,addr=0x19,romfile="))
    )
    assert before.out.count("DevicePath") == 1 and after.out.count("DevicePath") == 6
    assert sorted(disk["bus"] for disk in json.loads(listed.out)) == [
        "NVMe",
        "SATA",
        "SCSI",
        "USB",
        "USB",
        "virtio",
    ]
    assert "DevicePath" not in networks.out
