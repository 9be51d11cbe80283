"""
A disk that is pulled out in the middle, be it source or target or the stick with the image, and Ctrl-C: the job ends, says so
by its exit code, and leaves nothing that looks whole.
"""

import random
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB, Volume
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

GONE, STOPPED = 14, 15
SIZE, OLD = 32 * MIB, b"\x11" * 32 * MIB

# What is pulled while what is done; {from} and {to} are the volumes of these sticks.
JOBS = {
    "SOURCE": "convert -p -O raw serial=SOURCE source.raw",
    "FROM": "convert -p -n -f raw {from}data.raw serial=OTHER --erase=OTHER",
    "TO": "convert -p -O qcow2 serial=SLOW {to}slow.qcow2",
    "TARGET": "convert -p -n -f raw data.raw serial=TARGET --erase=TARGET",
    "STOPPED": "convert -p -n -f raw data.raw serial=STOPPED --erase=STOPPED",
}


@pytest.fixture(scope="module")
def ended(place, make_stick):
    """What was said, the exit code, and the beginning of the disk afterwards."""
    stick = make_stick()
    data = random.Random(1).randbytes(24 * MIB)
    stick.put(data, "/data.raw")
    volumes = {name: Volume(disks.make_disk(place / f"{name}.img", 64 * MIB)).format(16, cluster=2048, label=name) for name in ("FROM", "TO")}
    volumes["FROM"].put(data, "/data.raw")
    images = {name: disks.make_disk(place / f"{name}.img", SIZE) for name in ("TARGET", "SOURCE", "OTHER", "SLOW", "STOPPED")}
    for image in images.values():
        with open(image, "r+b") as file:
            file.write(OLD)
    drives = {"TARGET": Drive("usb", images["TARGET"], "TARGET", slow=2 * MIB), "SOURCE": Drive("usb", images["SOURCE"], "SOURCE", slow_reads=2 * MIB),
              "FROM": Drive("usb", volumes["FROM"].image, "FROM", slow_reads=2 * MIB), "TO": Drive("usb", volumes["TO"].image, "TO", slow=2 * MIB),
              "OTHER": Drive("nvme", images["OTHER"], "OTHER"), "SLOW": Drive("nvme", images["SLOW"], "SLOW"),
              "STOPPED": Drive("ahci", images["STOPPED"], "STOPPED", slow=2 * MIB)}
    said = {}
    # Drivers wait for a stick that is gone, 40 seconds if need be: the machine's clock runs ahead.
    with Machine(place / "machine", [Drive("nvme", stick.image, "STICK"), *drives.values()], deadline=240, skips_idle=True) as machine:
        shell = Shell(machine)
        names = {shell.run(f"vol fs{number}:").split()[1].lower(): f"fs{number}:" for number in range(1 + len(volumes))}
        shell.run(names["stick"])
        for name, line in JOBS.items():
            shell.type("efi-img " + line.format(**names))
            machine.expect(r"\((?:1[0-9]|[2-8][0-9])\.\d\d/100%\)", timeout=60)
            if name == "STOPPED":
                machine.send(CTRL_C)
            else:
                machine.unplug(drives[name])
            said[name] = shell.prompt(timeout=60), shell.status()
        shell.power_off()
    return SimpleNamespace(said=said, disks={name: image.read_bytes() for name, image in images.items()}, stick=stick, volumes=volumes)


@pytest.mark.parametrize("name, words", [("TARGET", "not whole"), ("SOURCE", "serial=SOURCE"), ("FROM", "data.raw"), ("STOPPED", "not whole"),
                                         ("TO", "slow.qcow2: writing at offset")])
def test_it_ends(ended, name, words):
    said, status = ended.said[name]
    assert status == (STOPPED if name == "STOPPED" else GONE) and words in said, said
    assert ("changed or removed" in said) == (name != "STOPPED")


@pytest.mark.parametrize("name", ["TARGET", "OTHER", "STOPPED"])
def test_no_disk_looks_whole(ended, name):
    assert ended.disks[name][:MIB] == bytes(MIB) and ended.disks[name][MIB:] != OLD[MIB:]


def test_no_image_looks_whole(ended):
    """What stays for --resume says that it is not finished, on the stick that is gone as well."""
    for name in ("SOURCE", "TO"):
        assert "--resume goes on from there" in ended.said[name][0]
    for file in (ended.stick.get("/source.raw"), ended.volumes["TO"].get("/slow.qcow2")):
        assert file.startswith(b"efi-img: this disk image is not finished\n")


def test_no_other_disk_is_touched(ended):
    for name in ("SOURCE", "SLOW"):
        assert ended.disks[name] == OLD
    assert ended.stick.fsck() == "" and ended.volumes["FROM"].fsck() == ""
