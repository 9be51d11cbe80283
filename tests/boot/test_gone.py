# SPDX-License-Identifier: BSD-2-Clause
"""
A disk that is pulled out in the middle, be it source or target or the stick with the image, and
Ctrl-C: the job ends, says so by its exit code, and leaves nothing that looks whole.
"""

import random
import re
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB, Volume
from rig.gate import Gate
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

GONE, STOPPED = 14, 15
SIZE, OLD = 32 * MIB, b"\x11" * 32 * MIB
MIDDLE = 8 * MIB  # read or written of the disk when it is pulled
# Seconds in which the firmware takes its handles of a stick away, and leaves the others alone.
SETTLE = 5
CHECKPOINT = 5  # seconds from one to the next

# What is pulled while what is done; {from}, {to} and {full} are the volumes of these sticks.
JOBS = {
    "SOURCE": "convert -p -O raw serial=SOURCE source.raw",
    "FROM": "convert -p -n -f raw --no-table {from}data.raw serial=OTHER --erase=OTHER",
    "TO": "convert -p -O qcow2 serial=SLOW {to}slow.qcow2",
    "FULL": "create -f raw {full}long.raw 48M",
    "TARGET": "convert -p -n -f raw --no-table data.raw serial=TARGET --erase=TARGET",
    "STOPPED": "convert -p -n -f raw --no-table data.raw serial=STOPPED --erase=STOPPED",
}
RESUMABLE = ("SOURCE", "TO")  # captures, which are pulled after their first checkpoint
VOLUMES = ("FROM", "TO", "FULL")


@pytest.fixture(scope="module")
def ended(place, make_stick):
    """What was said, the exit code, and the beginning of the disk afterwards."""
    stick = make_stick()
    data = random.Random(1).randbytes(24 * MIB)
    stick.put(data, "/data.raw")
    volumes = {name: Volume(disks.make_disk(place / f"{name}.img", 64 * MIB)) for name in VOLUMES}
    for name, volume in volumes.items():
        volume.format(16, cluster=2048, label=name)
    volumes["FROM"].put(data, "/data.raw")
    images = {
        name: disks.make_disk(place / f"{name}.img", SIZE)
        for name in ("TARGET", "SOURCE", "OTHER", "SLOW", "STOPPED")
    }
    for image in images.values():
        with open(image, "r+b") as file:
            file.write(OLD)
    pulled = {"TARGET": images["TARGET"], "SOURCE": images["SOURCE"]}
    pulled |= {name: volume.image for name, volume in volumes.items()}
    drives = {name: Drive("usb", image, name, gate=Gate()) for name, image in pulled.items()}
    drives |= {name: Drive("nvme", images[name], name) for name in ("OTHER", "SLOW")}
    drives["STOPPED"] = Drive("ahci", images["STOPPED"], "STOPPED", gate=Gate())
    said = {}
    # Drivers wait for a stick that is gone, 40 seconds if need be: the machine's clock runs ahead.
    all_drives = [Drive("nvme", stick.image, "STICK"), *drives.values()]
    with Machine(place / "machine", all_drives, skips_idle=True) as machine:
        shell = Shell(machine)
        names = {
            shell.run(f"vol fs{number}:").split()[1].lower(): f"fs{number}:"
            for number in range(1 + len(volumes))
        }
        shell.run(names["stick"])
        for name, line in JOBS.items():
            gate = drives[name].gate
            gate.crawl(MIDDLE)
            shell.type("efi-img " + line.format(**names))
            shell.wait_reached(gate)
            if name in RESUMABLE:
                machine.linger(gate, CHECKPOINT)
            gate.crawl(MIDDLE // 2)
            with shell.stopped_at(gate):
                if name == "STOPPED":
                    machine.send_stopped(CTRL_C)
                else:
                    machine.unplug(drives[name])
                since = machine.seconds_of_guest()
            text = shell.prompt()
            said[name] = text, shell.status(), machine.seconds_of_guest() - since
            machine.let_guest_wait(SETTLE)
        shell.power_off()
    return SimpleNamespace(
        said=said,
        disks={name: image.read_bytes() for name, image in images.items()},
        stick=stick,
        volumes=volumes,
    )


@pytest.mark.parametrize(
    "name, words",
    [
        ("TARGET", "is incomplete now"),
        ("SOURCE", "serial=SOURCE"),
        ("FROM", "data.raw"),
        ("STOPPED", "is incomplete now"),
        ("TO", "slow.qcow2: writing at offset"),
    ],
)
def test_it_ends(ended, name, words):
    said, status, _ = ended.said[name]
    assert status == (STOPPED if name == "STOPPED" else GONE) and words in said, said
    assert ("changed or removed" in said) == (name != "STOPPED")


def test_creating_ends_soon(ended):
    """The firmware retries for long: the shell's own cp takes 36 guest seconds to fail here."""
    said, status, seconds = ended.said["FULL"]
    assert status == 1 and re.search(r"^efi-img: .*long\.raw", said, re.MULTILINE), said
    assert seconds < 60


@pytest.mark.parametrize("name", ["TARGET", "OTHER", "STOPPED"])
def test_no_disk_looks_whole(ended, name):
    assert ended.disks[name][:MIB] == bytes(MIB) and ended.disks[name][MIB:] != OLD[MIB:]


def test_no_image_looks_whole(ended):
    """What stays for --resume says that it is not finished, on the stick that is gone as well."""
    for name in RESUMABLE:
        assert "--resume continues from there" in ended.said[name][0]
    for file in (ended.stick.get("/source.raw"), ended.volumes["TO"].get("/slow.qcow2")):
        assert file.startswith(b"efi-img: this disk image is not finished\n")


def test_no_other_disk_is_touched(ended):
    for name in ("SOURCE", "SLOW"):
        assert ended.disks[name] == OLD
    assert ended.stick.fsck() == "" and ended.volumes["FROM"].fsck() == ""
