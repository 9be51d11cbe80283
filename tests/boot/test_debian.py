"""A disk with Debian goes into images and onto other disks, and they start as it did. Two boots of efi-img, one of each disk."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import GIB, KIB, MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

LOGIN = "efi-img-debian login: "

CAPTURE = {
    "hash": "hash serial=DEBIAN",
    "pc.qcow2": "convert -c -O qcow2 serial=DEBIAN pc.qcow2",
    "pc.raw": "convert -O raw serial=DEBIAN pc.raw",
    "root.qcow2": "convert -c -O qcow2 -o compression_type=zstd serial=DEBIAN:2 root.qcow2",
    "hash-image": "hash pc.qcow2",
}
RESTORE = {  # the disk's serial number and bus: what is done to it
    ("SCSI", "virtio-scsi"): "convert -n pc.qcow2 serial=SCSI",
    ("SATA", "ahci"): "convert -n pc.raw serial=SATA",
    ("USB", "usb"): "convert -n root.qcow2 serial=USB:2 --erase=USB:2",
}


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
def stick(place, program):
    """A FAT32 stick with room for the images."""
    volume = Volume(disks.make_disk(place / "stick.img", GIB)).format(32, cluster=8 * KIB, label="STICK")
    volume.put(program, "/efi-img.efi")
    return volume


def run_lines(stick, lines, machine):
    """Boots the machine with a script on the stick, which has none then; returns the steps by the names of their lines."""
    batch = Batch(stick)
    steps = {name: batch.run(f"efi-img.efi {line}") for name, line in lines.items()}
    batch.boot(machine)
    disks.run("mdeltree", "-i", stick.drive, "::/batch", "::/startup.nsh", "::/is-stick")
    for name, step in steps.items():
        assert step.status == 0, f"{name}: {step.status}: {step.out}{step.err}"
    return steps


@pytest.fixture(scope="module")
def captured(place, source, stick):
    before = sha256(source)
    drives = [Drive("usb", stick.image, "STICK", first=True), Drive("nvme", source, "DEBIAN")]
    steps = run_lines(stick, CAPTURE, Machine(place / "capture", drives, processors=2, deadline=900))
    images = {name: stick.copy_out(f"/{name}", place / name) for name in CAPTURE if "." in name}
    return SimpleNamespace(steps=steps, images=images, sha256=before)


def make_target(place, source, name):
    """An empty disk that is larger; for a partition one as the source is, with something else in its second partition."""
    path = place / f"{name}.img"
    if name != "USB":
        return disks.make_disk(path, source.stat().st_size + 100 * MIB)
    copy(source, path)
    start, length = partition(source, 2)
    disks.run("mkfs.ext4", "-q", "-F", "-E", f"offset={start}", "-L", "other", path, f"{length // KIB}k")
    return path


@pytest.fixture(scope="module")
def restored(place, source, stick, captured):
    """The disks by their serial numbers."""
    targets = {name: make_target(place, source, name) for name, _ in RESTORE}
    assert sha256(targets["USB"]) != captured.sha256
    drives = [Drive("usb", stick.image, "STICK", first=True), *(Drive(bus, targets[name], name) for name, bus in RESTORE)]
    lines = {name: line for (name, _), line in RESTORE.items()}
    run_lines(stick, lines, Machine(place / "restore", drives, processors=2, deadline=900))
    return targets


def start_disk(place, disk, name, bus):
    """Starts a copy of the disk alone in a machine, up to the login prompt."""
    image = copy(disk, place / f"{name}-started.img")
    with Machine(place / f"start-{name}", [Drive(bus, image, name)], memory=512, deadline=480) as machine:
        machine.expect(re.escape(LOGIN))


@pytest.fixture(scope="module")
def started(place, restored):
    """For each disk what comes of starting it; two at a time, because each uses one processor."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(start_disk, place, restored[name], name, bus) for name, bus in RESTORE}


def test_the_source_is_as_it_was(source, captured):
    assert sha256(source) == captured.sha256 == sha256(ROOT / "build" / "debian.img")


@pytest.mark.parametrize("name", [name for name in CAPTURE if "." in name])
def test_image(source, captured, name):
    """qemu-img finds in it what the disk, or the partition, has."""
    image, form = captured.images[name], name.rpartition(".")[2]
    oracle.check_image(image, form)
    start, length = partition(source, 2) if name.startswith("root") else (0, source.stat().st_size)
    part = f"driver=raw,offset={start},size={length},file.driver=file,file.filename={source}"
    wanted = f"driver={form},file.driver=file,file.filename={image}"
    oracle.qemu_img("compare", "--image-opts", part, wanted)
    if form == "qcow2":
        assert image.stat().st_size < length // 2


def test_hash(captured):
    """Of the disk and of the image: what sha256sum says on the host."""
    for name in ("hash", "hash-image"):
        assert captured.steps[name].out.split()[0] == captured.sha256


@pytest.mark.parametrize("name", [name for name, _ in RESTORE])
def test_restored(source, restored, captured, name):
    """What the partitions hold is the same, and where they are; the GPT's backup is at the end of the larger disk."""
    for number in (1, 2):
        assert partition(restored[name], number) == partition(source, number)
        assert sha256(restored[name], *partition(source, number)) == sha256(source, *partition(source, number))
    assert "No problems found" in disks.run("sgdisk", "--verify", restored[name])
    if name == "USB":
        assert sha256(restored[name]) == captured.sha256


@pytest.mark.parametrize("name", [name for name, _ in RESTORE])
def test_starts(started, name):
    started[name].result()


def test_the_stick_is_sound(stick, restored):
    assert stick.fsck() == ""
