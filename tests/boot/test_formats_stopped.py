# SPDX-License-Identifier: BSD-2-Clause
"""
A capture into an image of each format is stopped by Ctrl-C, and by power cuts: what remains is no
image for any command, --resume completes it or is refused by name. Four boots.
"""

import random
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.gate import Gate
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

STOPPED = 15
SIZE = 24 * MIB
MIDDLE = 17 * MIB  # of the disk, two blocks of the VHDX image and more: then Ctrl-C is pressed
LATER = 20 * MIB  # read from the disk, once more from its beginning on: then the power fails
MARK = b"efi-img: this disk image is not finished\n"

# The options that make the image, and whether the copy into it can be resumed.
FORMATS = {
    "vhdx": ("", True),
    "vdi": ("", True),
    "vmdk": ("-o subformat=twoGbMaxExtentSparse", False),
    "vpc": ("", True),
    "qed": ("", True),
}
RESUMED = [form for form, (_, resumes) in FORMATS.items() if resumes]
CUT = ["vhdx", "vdi"]  # of these, the power fails while they are resumed

# What remains of these is refused: of one that was stopped, and of one whose power has failed.
UNFINISHED = ["vhdx", "vmdk"]

REFUSES = {
    "convert": "convert -O raw {} other.raw",
    "restore": "convert -n {} serial=TARGET",
    "as a raw disk": "convert -f raw -O qcow2 {} other.qcow2",
    "target": "convert -n small.raw {}",
    "dd": "dd if={} of=other.raw",
    "check": "check {}",
    "repair": "check -r all {}",
    "compare": "compare {} serial=SOURCE",
    "map": "map {}",
    "resize": "resize {} 25M",
    "backing": "create -f qcow2 -b {} -F raw other.qcow2",
}


def capture(form):
    return f"efi-img convert -O {form} {FORMATS[form][0]} serial=SOURCE half.{form}"


class Boots:
    """The machine, its disks, and what was said along the way."""

    def __init__(self, place, stick):
        self.place, self.stick = place, stick
        self.said = {}
        self.images = {
            name: disks.make_disk(place / f"{name}.img", SIZE) for name in ("SOURCE", "TARGET")
        }
        self.images["SOURCE"].write_bytes(random.Random(3).randbytes(SIZE))
        self.source = Drive("usb", self.images["SOURCE"], "SOURCE", gate=Gate())
        self.drives = [
            Drive("nvme", stick.image, "STICK"),
            self.source,
            Drive("ahci", self.images["TARGET"], "TARGET"),
        ]

    def boot(self, work, cut=None):
        """Boots, does `work`, and ends with a power cut in the middle of a command, or without."""
        with Machine(self.place / "machine", self.drives) as machine:
            shell = Shell(machine)
            shell.run("fs0:")
            work(shell)
            if cut:
                self.source.gate.hold(LATER)
                shell.type(cut)
                shell.wait_reached(self.source.gate)
            else:
                shell.power_off()

    def run(self, shell, key, line):
        self.said[key] = shell.run(line).replace("\n", ""), shell.status()

    def stop(self, shell, form):
        self.source.gate.crawl(MIDDLE)
        shell.type(capture(form))
        with shell.stopped_at(self.source.gate):
            shell.machine.send_stopped(CTRL_C)
        self.said["stopped", form] = shell.prompt().replace("\n", ""), shell.status()

    def refuse(self, shell, form):
        self.run(shell, ("info", form), f"efi-img info half.{form}")
        for name, line in REFUSES.items():
            self.run(shell, (name, form), f"efi-img {line.format(f'half.{form}')}")

    def resume(self, shell, form):
        self.run(shell, ("resumed", form), f"{capture(form)} --resume")

    def begins(self, form):
        return self.stick.get(f"/half.{form}")[: len(MARK)]


@pytest.fixture(scope="module")
def ended(place, program):
    stick = Volume(disks.make_disk(place / "stick.img", 300 * MIB)).format(
        32, cluster=4096, label="STICK"
    )
    stick.put(program, "/efi-img.efi")
    stick.put(bytes(MIB), "/small.raw")
    boots = Boots(place, stick)
    begins = {}

    def first(shell):
        for form in FORMATS:
            boots.stop(shell, form)
        boots.refuse(shell, "vhdx")
        boots.said["files"] = shell.run("ls -b")
        for form in RESUMED:
            if form not in CUT:
                boots.resume(shell, form)

    boots.boot(first, f"{capture('vhdx')} --resume")
    begins["vhdx"] = boots.begins("vhdx")
    boots.boot(lambda shell: boots.resume(shell, "vhdx"), f"{capture('vdi')} --resume")
    begins["vdi"] = boots.begins("vdi")
    boots.boot(lambda shell: boots.resume(shell, "vdi"), capture("vmdk"))
    begins["vmdk"] = boots.begins("vmdk")

    def last(shell):
        boots.refuse(shell, "vmdk")
        boots.run(shell, "resume", f"{capture('vmdk')} --resume")
        boots.run(shell, "again", capture("vmdk"))
        boots.run(shell, "extent", "efi-img convert -O raw half-s001.vmdk other.raw")
        boots.run(shell, ("resumed", "vmdk"), f"{capture('vmdk')} --force")
        boots.said["then"] = shell.run("ls -b")

    boots.boot(last)
    return SimpleNamespace(said=boots.said, stick=stick, images=boots.images, begins=begins)


@pytest.mark.parametrize("form", FORMATS)
def test_stopped(ended, form):
    said, status = ended.said["stopped", form]
    if form in RESUMED:
        assert status == STOPPED and "with --resume continues from there" in said, said
    else:
        assert status == STOPPED and "stopped before all of it was copied" in said, said
        assert f"half.{form}" not in ended.said["files"] and "-s001" not in ended.said["files"]


@pytest.mark.parametrize("form", UNFINISHED)
def test_info(ended, form):
    said, status = ended.said["info", form]
    assert status == 1 and "file format: unfinished" in said
    assert f"efi-img convert --resume -O {form} " in said or (
        form == "vmdk" and "delete it, and repeat the copy" in said
    )


@pytest.mark.parametrize("form", UNFINISHED)
@pytest.mark.parametrize("name", REFUSES)
def test_refused(ended, name, form):
    said, status = ended.said[name, form]
    assert status != 0 and f"half.{form}: this disk image is unfinished" in said, said


def test_nothing_was_touched(ended):
    assert "other" not in ended.said["files"] and "other" not in ended.said["then"]
    assert ended.images["TARGET"].read_bytes() == bytes(SIZE)


@pytest.mark.parametrize("form", [*CUT, "vmdk"])
def test_after_the_power_cut(ended, form):
    assert ended.begins[form] == MARK


def test_several_files_are_not_resumed(ended):
    said, status = ended.said["resume"]
    assert status == 1 and "an image of several files" in said, said
    said, status = ended.said["again"]
    assert status == 1 and "--force would replace it" in said, said


def test_an_extent_is_no_image(ended):
    said, status = ended.said["extent"]
    assert status == 1 and "without its descriptor" in said, said


@pytest.mark.parametrize("form", FORMATS)
def test_completed(ended, place, form):
    """By --resume, or anew: qemu-img finds in the image what the disk has."""
    said, status = ended.said["resumed", form]
    assert status == 0 and "verified, identical" in said, said
    for name in ended.stick.names():
        if name.endswith(f".{form}"):
            ended.stick.copy_out(f"/{name}", place / name)
    oracle.check_image(place / f"half.{form}", form)
    oracle.qemu_img(
        "compare", "-f", "raw", "-F", form, ended.images["SOURCE"], place / f"half.{form}"
    )


def test_no_journal_is_left(ended):
    assert ".resume" not in ended.said["then"]
