"""A disk that is pulled out while it is written to, and Ctrl-C: the job ends, says so by its exit code, and leaves nothing that looks whole."""

import random

import pytest

from rig import disks
from rig.disks import MIB
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

GONE, STOPPED = 14, 15


@pytest.fixture(scope="module")
def ended(place, make_stick):
    """What was said, the exit code, and the beginning of the disk afterwards."""
    stick = make_stick()
    stick.put(random.Random(1).randbytes(24 * MIB), "/data.raw")
    targets = {name: disks.make_disk(place / f"{name}.img", 32 * MIB) for name in ("PULLED", "SLOW", "OTHER")}
    for image in targets.values():
        with open(image, "r+b") as file:
            file.write(b"\x11" * 32 * MIB)
    drives = [Drive("nvme", stick.image, "STICK"), Drive("usb", targets["PULLED"], "PULLED", slow=2 * MIB),
              Drive("ahci", targets["SLOW"], "SLOW", slow=2 * MIB), Drive("usb", targets["OTHER"], "OTHER")]
    said = {}
    with Machine(place / "machine", drives, deadline=180) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        for name, act in (("PULLED", lambda: machine.unplug(drives[1])), ("SLOW", lambda: machine.send(CTRL_C))):
            shell.type(f"efi-img convert -p -n -f raw data.raw serial={name} --erase={name}")
            machine.expect(r"\((?:1[0-9]|[2-8][0-9])\.\d\d/100%\)", timeout=60)
            act()
            said[name] = shell.prompt(timeout=60), shell.status()
        shell.power_off()
    return said, {name: image.read_bytes() for name, image in targets.items()}


@pytest.mark.parametrize("name, code", [("PULLED", GONE), ("SLOW", STOPPED)])
def test_it_ends(ended, name, code):
    said, status = ended[0][name]
    assert status == code and f"serial={name}" in said and "not whole" in said, said


@pytest.mark.parametrize("name", ["PULLED", "SLOW"])
def test_nothing_looks_whole(ended, name):
    assert ended[1][name][:MIB] == bytes(MIB) and ended[1][name][MIB:] != b"\x11" * 31 * MIB


def test_no_other_disk_is_touched(ended):
    assert ended[1]["OTHER"] == b"\x11" * 32 * MIB
