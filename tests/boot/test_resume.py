"""The power fails while a disk is captured, and while an image is restored: --resume goes on, and the result is whole."""

import random
import time

import pytest

from oracle import qemu_img
from rig import disks
from rig.disks import MIB
from rig.machine import CTRL_C, Drive, Machine
from rig.shell import Shell

STOPPED = 15
CAPTURE = "efi-img convert -p -O qcow2 serial=SOURCE pc.qcow2"
RESTORE = "efi-img convert -p -n pc.qcow2 serial=TARGET --erase=TARGET"
SIZE = 40 * MIB  # twenty seconds at the speed of the slow disks; a checkpoint is there every five
LATE = r"\((?:6[5-9]|7\d)\.\d\d/100%\)"  # after a checkpoint, and four seconds before the end


@pytest.fixture(scope="module")
def ended(place, make_stick):
    """What was said along the way; the captured image, the source and the target are on the host then."""
    content = random.Random(7).randbytes(SIZE)
    stick = make_stick()
    images = {name: disks.make_disk(place / f"{name}.img", SIZE) for name in ("SOURCE", "TARGET")}
    images["SOURCE"].write_bytes(content)
    drives = [Drive("nvme", stick.image, "STICK"), Drive("usb", images["SOURCE"], "SOURCE", slow_reads=2 * MIB),
              Drive("ahci", images["TARGET"], "TARGET", slow=2 * MIB)]
    said, dice = {}, random.Random()

    def cut(line, seconds=None):
        with Machine(place / "machine", drives, deadline=180) as machine:
            shell = Shell(machine)
            shell.run("fs0:")
            shell.type(line)
            if seconds is None:
                machine.expect(LATE, timeout=100)
            else:
                machine.expect(r"/100%\) copying", timeout=60)
                time.sleep(seconds)

    def cut_capture(resume, seconds=None):
        cut(CAPTURE + resume, seconds)
        mark = b"efi-img: this disk image is not finished\n"
        assert stick.get("/pc.qcow2").startswith(mark), f"it looks like an image, or had ended before the power failed: {said}"

    for n in range(2):  # at any moments, which are seen when it fails
        at = dice.uniform(0.5, 7)
        said[f"moment {n}"] = at
        cut_capture(" --resume" if n else "", at)
    cut_capture(" --resume")
    said["cut"] = stick.get("/pc.qcow2.resume")
    with Machine(place / "machine", drives, deadline=300) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        said["again"] = shell.run(CAPTURE), shell.status()
        shell.type(CAPTURE + " --resume")
        machine.expect(r"\((?:[1-9]\d)\.\d\d/100%\)", timeout=100)
        machine.send(CTRL_C)
        said["stopped"] = shell.prompt(timeout=60), shell.status()
        said["captured"] = shell.run(CAPTURE + " --resume"), shell.status()
        said["files"] = shell.run("ls -b")
        shell.power_off()
    cut(RESTORE)
    said["beginning"] = images["TARGET"].read_bytes()[:MIB]
    with Machine(place / "machine", drives, deadline=200) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        said["restored"] = shell.run(RESTORE + " --resume"), shell.status()
        said["then"] = shell.run("ls -b")
        shell.power_off()
    (place / "pc.qcow2").write_bytes(stick.get("/pc.qcow2"))
    return said, content, images, place / "pc.qcow2"


def test_there_is_a_journal(ended):
    journal = ended[0]["cut"]
    assert b'"journal-version": 2' in journal and b'"done": 0,' not in journal


def test_it_is_not_written_over(ended):
    said, status = ended[0]["again"]
    assert status == 1 and "--resume goes on with it" in said


def test_stopped_meanwhile(ended):
    said, status = ended[0]["stopped"]
    assert status == STOPPED and "with --resume goes on from there" in said


def test_captured(ended):
    said, content, images, image = ended
    assert said["captured"][1] == 0, said["captured"][0]
    assert "resume" not in said["files"] and "resume" not in said["then"]
    qemu_img("check", image)
    qemu_img("compare", image, images["SOURCE"])
    assert images["SOURCE"].read_bytes() == content


def test_restored(ended):
    said, content, images, _ = ended
    assert said["restored"][1] == 0, said["restored"][0]
    assert said["beginning"] == bytes(MIB)
    assert images["TARGET"].read_bytes() == content
