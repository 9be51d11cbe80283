# SPDX-License-Identifier: BSD-2-Clause
"""
A disk with Debian goes into images and onto other disks, and they start as it did: a disk with
sectors of 512 bytes and one with sectors of 4096, through raw, qcow2, VMDK, VHDX and VHD, in one
file and in several. Two boots of efi-img, one of each disk that it made.
"""

import hashlib
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import GIB, KIB, MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

LOGIN = "efi-img-debian login: "

CAPTURE = {
    "hash": "hash serial=DEBIAN",
    "pc.qcow2": "convert -c -O qcow2 serial=DEBIAN pc.qcow2",
    "pc.raw": "convert -O raw serial=DEBIAN pc.raw",
    "pc4k.qcow2": "convert -O qcow2 --split=100M serial=DEBIAN4K pc4k.qcow2",
    "root.qcow2": "convert -c -O qcow2 -o compression_type=zstd serial=DEBIAN:2 root.qcow2",
    "vm.vmdk": "convert -O vmdk -o subformat=twoGbMaxExtentSparse serial=DEBIAN vm.vmdk",
    "hv.vhdx": "convert -O vhdx serial=DEBIAN hv.vhdx",
    "old.vpc": "convert -O vpc serial=DEBIAN old.vpc",
    "hash-image": "hash pc.qcow2",
}
# The disk's serial number (of virtio-blk the firmware knows none), its bus and sectors, and what is
# done to it.
RESTORE = {
    "SCSI": ("virtio-scsi", 512, "convert -n pc.qcow2 serial=SCSI"),
    "SATA": ("ahci", 512, "convert -n pc.raw serial=SATA"),
    "USB": ("usb", 512, "convert -n root.qcow2 serial=USB:2 --erase=USB:2"),
    "VMDK": ("nvme", 512, "convert -n vm.vmdk serial=VMDK"),
    "VHDX": ("ahci", 512, "convert -n hv.vhdx serial=VHDX"),
    "VHD": ("nvme", 512, "convert -n old.vpc serial=VHD"),
    "VIRTIO4K": ("virtio-blk", 4096, "convert -n pc4k.qcow2 path=PciRoot(0x0)/Pci(0xA,0x0)"),
}
# Those that are started: of others, test_restored proves that they have the same bytes.
STARTS = {False: ("SCSI", "VHDX", "VIRTIO4K"), True: tuple(RESTORE)}  # by --whole
OTHER_SECTORS, SECTOR_SIZE = "convert -n pc.qcow2 path=PciRoot(0x0)/Pci(0xA,0x0)", 16


def sha256(path, start=0, length=None):
    """Of a file of the host, or of a part of it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(start)
        left = path.stat().st_size - start if length is None else length
        while block := file.read(min(left, MIB)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def copy(source, target):
    """A copy with the holes of the source."""
    disks.run("cp", "--sparse=always", source, target)
    return target


def partition(disk, number):
    """Where a partition lies, in bytes: start and length. sgdisk prints the last sector."""
    text = disks.run("sgdisk", f"--info={number}", disk)
    first, last = (int(re.search(rf"{word} sector: (\d+)", text)[1]) for word in ("First", "Last"))
    return first * 512, (last + 1 - first) * 512


@pytest.fixture(scope="module")
def source(place):
    """The disk with Debian, which the Makefile makes once."""
    made = ROOT / "build" / "debian.img"
    assert made.is_file(), f"{made} is not there: run make build/debian.img first"
    return copy(made, place / "debian.img")


@pytest.fixture(scope="module")
def source4k(place, source):
    """
    The same Debian on a disk with sectors of 4096 bytes: another GPT, another FAT, the same root.
    """
    disk = disks.make_disk(place / "debian4k.img", source.stat().st_size)
    esp, root = partition(source, 1), partition(source, 2)
    guid = re.search(r"unique GUID: (\S+)", disks.run("sgdisk", "--info=2", source))[1]
    disks.write_gpt(
        disk,
        [Partition(*esp, label="ESP"), Partition(*root, disks.LINUX, "root", uuid.UUID(guid))],
        4096,
    )
    files = place / "esp"
    files.mkdir()
    disks.run("mcopy", "-s", "-i", Volume(source, *esp).drive, "::*", files)
    disks.run(
        "mcopy",
        "-s",
        "-i",
        Volume(disk, *esp).format(16, cluster=4096, block=4096).drive,
        *files.iterdir(),
        "::",
    )
    disks.run(
        "dd",
        f"if={source}",
        f"of={disk}",
        "bs=1M",
        f"skip={root[0] // MIB}",
        f"seek={root[0] // MIB}",
        f"count={root[1] // MIB}",
        "conv=notrunc,sparse",
        "status=none",
    )
    return disk


@pytest.fixture(scope="module")
def stick(place, program):
    """A FAT32 stick with room for the images."""
    volume = Volume(disks.make_disk(place / "stick.img", 2 * GIB + 512 * MIB)).format(
        32, cluster=8 * KIB, label="STICK"
    )
    volume.put(program, "/efi-img.efi")
    return volume


def run_lines(stick, lines, machine):
    """
    Boots the machine with a script on the stick, which has none then; returns the steps by the
    names of their lines.
    """
    batch = Batch(stick)
    steps = {name: batch.run(f"efi-img.efi {line}") for name, line in lines.items()}
    batch.boot(machine)
    disks.run("mdeltree", "-i", stick.drive, "::/batch", "::/startup.nsh", "::/is-stick")
    for name, step in steps.items():
        assert step.status == (
            SECTOR_SIZE if name == "other-sectors" else 0
        ), f"{name}: {step.status}: {step.out}{step.err}"
    return steps


def take_image(stick, place, name):
    """
    Copies an image of the stick to the host: its parts, as cat puts them together, or the files
    that a VMDK consists of.
    """
    stem, _, form = name.rpartition(".")
    if form == "vmdk":
        for file in stick.names():
            if file.startswith(stem):
                stick.copy_out(f"/{file}", place / file)
        return place / name
    for part in sorted(part for part in stick.names() if part.startswith(name)):
        with open(place / name, "ab") as whole:
            whole.write(stick.get(f"/{part}"))
    return place / name


@pytest.fixture(scope="module")
def captured(place, source, source4k, stick):
    before = {disk: sha256(disk) for disk in (source, source4k)}
    drives = [
        Drive("usb", stick.image, "STICK", first=True),
        Drive("nvme", source, "DEBIAN"),
        Drive("nvme", source4k, "DEBIAN4K", 4096),
    ]
    steps = run_lines(stick, CAPTURE, Machine(place / "capture", drives, processors=2))
    images = {name: take_image(stick, place, name) for name in CAPTURE if "." in name}
    return SimpleNamespace(steps=steps, images=images, sha256=before)


def make_target(place, source, name):
    """
    An empty disk that is larger; for a partition one as the source is, with something else in
    its second partition.
    """
    path = place / f"{name}.img"
    if name != "USB":
        return disks.make_disk(path, source.stat().st_size + 100 * MIB)
    copy(source, path)
    start, length = partition(source, 2)
    disks.run(
        "mkfs.ext4", "-q", "-F", "-E", f"offset={start}", "-L", "other", path, f"{length // KIB}k"
    )
    return path


@pytest.fixture(scope="module")
def restored(place, source, stick, captured):
    """The disks by their serial numbers, and the step of the line that is refused."""
    targets = {name: make_target(place, source, name) for name in RESTORE}
    assert sha256(targets["USB"]) != captured.sha256[source]
    drives = [
        Drive("usb", stick.image, "STICK", first=True),
        *(Drive(bus, targets[name], name, block) for name, (bus, block, _) in RESTORE.items()),
    ]
    lines = {
        "other-sectors": OTHER_SECTORS,
        **{name: line for name, (_, _, line) in RESTORE.items()},
    }
    steps = run_lines(stick, lines, Machine(place / "restore", drives, processors=2))
    return SimpleNamespace(targets=targets, refused=steps["other-sectors"])


def start_disk(place, disk, name):
    """Starts a copy of the disk alone in a machine, up to the login prompt."""
    image, (bus, block, _) = copy(disk, place / f"{name}-started.img"), RESTORE[name]
    with Machine(place / f"start-{name}", [Drive(bus, image, name, block)], memory=512) as machine:
        machine.expect(re.escape(LOGIN))


def pytest_generate_tests(metafunc):
    if metafunc.definition.name == "test_starts":
        metafunc.parametrize("name", STARTS[metafunc.config.getoption("--whole")])


@pytest.fixture(scope="module")
def started(request, place, restored):
    """For each disk what comes of starting it; two at a time, because each uses one processor."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(start_disk, place, restored.targets[name], name)
            for name in STARTS[request.config.getoption("--whole")]
        }


def test_the_source_is_as_it_was(source, source4k, captured):
    assert sha256(source) == captured.sha256[source] == sha256(ROOT / "build" / "debian.img")
    assert sha256(source4k) == captured.sha256[source4k]


@pytest.mark.parametrize("name", [name for name in CAPTURE if "." in name])
def test_image(source, source4k, captured, name):
    """qemu-img finds in it what the disk, or the partition, has."""
    image, form = captured.images[name], name.rpartition(".")[2]
    disk = source4k if "4k" in name else source
    oracle.check_image(image, form)
    start, length = partition(source, 2) if name.startswith("root") else (0, disk.stat().st_size)
    part = f"driver=raw,offset={start},size={length},file.driver=file,file.filename={disk}"
    wanted = f"driver={form},file.driver=file,file.filename={image}"
    oracle.qemu_img("compare", "--image-opts", part, wanted)
    if "-c" in CAPTURE[name]:
        assert image.stat().st_size < length // 2


def test_split(stick, captured):
    assert "pc4k.qcow2.001" in stick.names() and " is in " in captured.steps["pc4k.qcow2"].out


def test_hash(source, captured):
    """Of the disk and of the image: what sha256sum says on the host."""
    for name in ("hash", "hash-image"):
        assert captured.steps[name].out.split()[0] == captured.sha256[source]


def test_sectors_of_another_size_are_refused(restored):
    assert "sectors of 512 bytes, and the target has sectors of 4096" in restored.refused.err


@pytest.mark.parametrize("name", RESTORE)
def test_restored(source, source4k, restored, captured, name):
    """
    What the partitions hold is the same, and where they are; the GPT's backup is at the end of
    the larger disk.
    """
    disk, target, block = (
        source4k if "4K" in name else source,
        restored.targets[name],
        RESTORE[name][1],
    )
    for number in (1, 2):
        place = partition(source, number)
        assert sha256(target, *place) == sha256(disk, *place)
        assert block != 512 or partition(target, number) == place  # sgdisk reads no others
    if block == 512:
        assert "No problems found" in disks.run("sgdisk", "--verify", target)
    else:
        assert target.read_bytes()[-block:].startswith(b"EFI PART")
    if name == "USB":
        assert sha256(target) == captured.sha256[source]


def test_starts(started, name):
    started[name].result()


def test_the_stick_is_sound(stick, restored):
    assert stick.fsck() == ""
