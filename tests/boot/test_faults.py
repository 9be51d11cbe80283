# SPDX-License-Identifier: BSD-2-Clause
"""
Disks that fail, by QEMU's blkdebug: what cannot be read is named exactly, in words and in the
map; no failed write or flush goes unsaid.
"""

import random
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

SIZE = 8 * MIB
LOST, DEVICE_ERROR = 10, 18
OLD = b"\x11" * SIZE

# Sources with sectors that cannot be read, by serial number (virtio-blk has none that the firmware
# shows): bus, block size, first sector and number.
BAD = {
    "NVME": ("nvme", 512, ((100, 1), (5000, 3), (16383, 1))),
    "NVME4K": ("nvme", 4096, ((800, 8), (9000, 16))),
    "SATA": ("ahci", 512, ((3000, 2),)),
    "VIRTIO": ("virtio-blk", 512, ((0, 1), (4097, 1), (12000, 5))),
}


# Targets that fail, again and again: a write in the middle, one of the first sector, every flush.
FAULTS = {"WRITE": ("write", 9000), "HEAD": ("write", 0), "FLUSH": ("flush", None)}
BUSES = {"NVME": "nvme", "SATA": "ahci", "VIRTIO": "virtio-blk", "SCSI": "virtio-scsi"}
FAILING = {
    f"{fault}-{name}": (bus, FAULTS[fault]) for fault in FAULTS for name, bus in BUSES.items()
}


# Volumes with a file of which some sectors cannot be read: these, counted from its beginning.
VOLUMES, BAD_IN_FILE = {"sata": "ahci", "nvme": "nvme"}, (3000, 8001)


def noise(seed):
    return random.Random(seed).randbytes(SIZE)


def fill(path, content):
    with open(disks.make_disk(path, SIZE), "r+b") as file:
        file.write(content)
    return path


def faulty_volume(volume, bus):
    """A drive with a volume, with one file that can be read and one that cannot."""
    volume.put(noise("image"), "/good.raw")
    volume.put(noise("bad"), "/image.raw")
    start = volume.image.read_bytes().index(noise("bad")) // 512
    return Drive(
        bus, volume.image, faults=tuple(("read", start + sector) for sector in BAD_IN_FILE)
    )


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    work = Volume(disks.make_disk(place / "work.img", 96 * MIB)).format(
        32, cluster=512, label="WORK"
    )
    work.put(noise("image"), "/image.raw")
    images = {name: fill(place / f"{name}.img", noise(name)) for name in BAD}
    targets = {name: fill(place / f"{name}.img", OLD) for name in FAILING}
    volumes = {
        name: Volume(disks.make_disk(place / f"volume-{name}.img", 48 * MIB)).format(
            32, cluster=512, label=name
        )
        for name in VOLUMES
    }
    batch = Batch(stick, work=work, **volumes)
    batch.do("%work%")
    steps = {}
    drives = [Drive("usb", stick.image, "STICK"), Drive("usb", work.image, "WORK")]
    for name, volume in volumes.items():
        drives.append(faulty_volume(volume, VOLUMES[name]))
        steps["good-" + name] = batch.run(
            rf"%stick%\efi-img.efi compare %{name}%\good.raw image.raw"
        )
        batch.do(rf"cp -q %{name}%\good.raw {name}.copied")
        steps["hash-" + name] = batch.run(rf"%stick%\efi-img.efi hash %{name}%\image.raw")
        steps["convert-" + name] = batch.run(
            rf"%stick%\efi-img.efi convert -O raw %{name}%\image.raw {name}.file"
        )
    onto = Volume(disks.make_disk(place / "onto.img", 24 * MIB)).format(
        16, cluster=2048, label="ONTO"
    )
    batch.volumes["onto"] = onto
    drives.append(Drive("ahci", onto.image, faults=(("write", 9000),)))
    steps["onto"] = batch.run(r"%stick%\efi-img.efi convert -f raw image.raw %onto%\copy.raw")
    for name, (bus, block, ranges) in BAD.items():
        faults = tuple(
            ("read", sector) for first, n in ranges for sector in range(first, first + n)
        )
        drives.append(Drive(bus, images[name], name, block, faults=faults))
        source = f"serial={name}" if bus != "virtio-blk" else "path=PciRoot(0x0)/Pci(0xA,0x0)"
        steps["strict-" + name] = batch.run(
            rf"%stick%\efi-img.efi convert -f raw --map={name}.first {source} {name}.strict"
        )
        steps["salvage-" + name] = batch.run(
            rf"%stick%\efi-img.efi convert -f raw --salvage --map={name}.map {source} {name}.raw"
        )
    for name, (bus, fault) in FAILING.items():
        drives.append(Drive(bus, targets[name], name, faults=(fault,)))
        called = (
            f"serial={name}"
            if bus != "virtio-blk"
            else f"path=PciRoot(0x0)/Pci(0x{9 + sum(drive.bus == bus for drive in drives):X},0x0)"
        )
        line = (
            f"convert -n -f raw --no-table --map={name}.map image.raw {called} "
            f"--erase={called.partition('=')[2]}"
        )
        steps[name] = batch.run(rf"%stick%\efi-img.efi {line}")
    before = {name: path.read_bytes() for name, path in images.items()}
    batch.boot(Machine(place / "machine", drives, memory=256))
    return SimpleNamespace(
        steps=steps,
        work=work,
        onto=onto,
        images=images,
        before=before,
        targets={name: path.read_bytes() for name, path in targets.items()},
    )


def map_of(made, name):
    """The ranges of a map that are not finished: first sector, number, status."""
    lines = [
        line.split()
        for line in made.work.get(f"/{name}").decode().splitlines()
        if not line.startswith("#")
    ]
    ranges = [(int(offset, 0) // 512, int(n, 0) // 512, status) for offset, n, status in lines[1:]]
    assert ranges[0][0] == 0 and sum(n for _, n, _ in ranges) * 512 == SIZE
    return [found for found in ranges if found[2] != "+"]


@pytest.mark.parametrize("name", BAD)
def test_map_names_exactly_what_is_bad(made, name):
    step, ranges = made.steps["salvage-" + name], BAD[name][2]
    assert step.status == LOST, step.err
    assert map_of(made, name + ".map") == [(first, n, "-") for first, n in ranges]
    for first, n in ranges:
        assert (
            f"lost: {n * 512} bytes at offset {first * 512} "
            f"(LBA {first * 512 // BAD[name][1]}, blocks of {BAD[name][1]} bytes)" in step.err
        ), step.err
    expected = bytearray(made.before[name])
    for first, n in ranges:
        expected[first * 512 : (first + n) * 512] = bytes(n * 512)
    assert made.work.get(f"/{name}.raw") == expected


@pytest.mark.parametrize("name", BAD)
def test_without_salvage_the_first_block_ends_it(made, name):
    step, (first, _) = made.steps["strict-" + name], BAD[name][2][0]
    block = BAD[name][1]
    assert step.status == DEVICE_ERROR, step.err
    assert (
        f"{block} bytes at offset {first * 512} (LBA {first * 512 // block}, "
        f"blocks of {block} bytes) of the disk cannot be read" in step.err
    ), step.err
    bad = [found for found in map_of(made, name + ".first") if found[2] == "-"]
    assert bad == [(first, block // 512, "-")]


@pytest.mark.parametrize("name", BAD)
def test_nothing_is_written_to_the_source(made, name):
    assert made.images[name].read_bytes() == made.before[name]


@pytest.mark.parametrize("name", VOLUMES)
def test_a_file_that_cannot_be_read(made, name):
    """
    OVMF's driver of SATA disks calls it a success, and the FAT driver keeps in its cache what
    was there before.
    """
    assert made.steps["good-" + name].status == 0, made.steps["good-" + name].err
    for step in (made.steps["hash-" + name], made.steps["convert-" + name]):
        assert (
            step.status == 1 and "the device reports an error" in step.err and step.out == ""
        ), f"{step.status}: {step.out}{step.err}"
    assert f"{name}.file" not in made.work.names()
    # What the shell reads afterwards, it reads by the driver's own function again.
    assert made.work.get(f"/{name}.copied") == noise("image")


def test_a_file_that_cannot_be_written(made):
    """
    From file to file nothing is read back. OVMF's driver of SATA disks has the FAT driver
    believe that it is written.
    """
    step = made.steps["onto"]
    assert (
        step.status == 1 and "the device reports an error" in step.err
    ), f"{step.status}: {step.err}"
    assert made.onto.image.read_bytes()[9000 * 512 : 9001 * 512] == bytes(512)


@pytest.mark.parametrize("name", BUSES)
def test_write_error(made, name):
    """SATA: OVMF's driver says that it went well, and the drive's status says that it did not."""
    step, target = made.steps["WRITE-" + name], made.targets["WRITE-" + name]
    assert (
        step.status == DEVICE_ERROR
        and "writing at offset" in step.err
        and "is incomplete now" in step.err
    ), step.err
    assert target[:MIB] == bytes(MIB)
    left = map_of(made, f"WRITE-{name}.map")
    assert (
        left[0][0] == 0
        and left[0][1] >= MIB // 512
        and any(first <= 9000 < first + n and status == "?" for first, n, status in left)
    )


@pytest.mark.parametrize("name", BUSES)
def test_first_sector_that_cannot_be_written(made, name):
    """The old beginning stays: so nothing else may be written behind it."""
    step, target = made.steps["HEAD-" + name], made.targets["HEAD-" + name]
    assert step.status == DEVICE_ERROR and "before the copy" in step.err, step.err
    assert target[:512] == OLD[:512] and target[MIB:] == OLD[MIB:]


@pytest.mark.parametrize("name", BUSES)
def test_flush_error(made, name):
    """The first flush is that of the wiped beginning."""
    step, target = made.steps["FLUSH-" + name], made.targets["FLUSH-" + name]
    assert step.status == DEVICE_ERROR and "before the copy" in step.err, step.err
    assert target[:MIB] in (bytes(MIB), OLD[:MIB]) and target[MIB:] == OLD[MIB:]


def test_write_error_of_a_stick(place, make_stick):
    """
    In a machine of its own: OVMF waits two minutes for a USB drive that has failed, so its
    clock runs ahead.
    """
    stick, target = make_stick(), fill(place / "usb.img", OLD)
    stick.put(noise("image"), "/image.raw")
    batch = Batch(stick)
    step = batch.run("efi-img.efi convert -n -f raw --no-table image.raw serial=USB --erase=USB")
    drives = [
        Drive("nvme", stick.image, "STICK"),
        Drive("usb", target, "USB", faults=(FAULTS["WRITE"],)),
    ]
    batch.boot(Machine(place / "usb", drives, skips_idle=True))
    assert (
        step.status == DEVICE_ERROR
        and "writing at offset" in step.err
        and "is incomplete now" in step.err
    ), step.err
    assert target.read_bytes()[:MIB] == bytes(MIB)
