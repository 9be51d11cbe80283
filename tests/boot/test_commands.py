# SPDX-License-Identifier: BSD-2-Clause
r"""
Every command on a FAT volume, against qemu-img: the same line, on the same files, is given to
efi-img in the firmware and to qemu-img on the host. Both have to print the same, return the same,
change the same images in the same way, and touch nothing else. To add a command, add its lines to
CASES: all of them share one boot, each in a directory of its own.
"""

import shutil

import pytest

from commands import CASES, PROGRESS, comparable_output, judge, make_images, run_theirs
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch


def run_ours(place, images, make_stick):
    """
    Boots once, and copies the whole volume to the host: the steps, the directories that they
    worked in, and the volume.
    """
    stick = make_stick()
    volume = Volume(disks.make_disk(place / "volume.img", 640 * MIB)).format(
        32, cluster=4096, label="WORK", fill=0xAA
    )
    batch = Batch(stick, work=volume)
    batch.do("%work%")
    steps = {}
    for name, case in CASES.items():
        disks.run("mcopy", "-s", "-i", volume.drive, images, f"::{name}")
        batch.do(f"cd \\{name}")
        steps[name] = batch.run(rf"%stick%\efi-img.efi {case.line}")
    batch.boot(
        Machine(
            place / "machine", [Drive("nvme", stick.image), Drive("ahci", volume.image)], memory=128
        )
    )
    ours = place / "ours"
    ours.mkdir()
    for name in CASES:
        volume.copy_out(f"/{name}", ours)
    return steps, ours, volume


@pytest.fixture(scope="module")
def images(place):
    return make_images(place / "images")


@pytest.fixture(scope="module")
def boot(place, images, make_stick):
    return run_ours(place, images, make_stick)


@pytest.fixture(scope="module")
def theirs(place, images):
    """What qemu-img says to each line, and the directories that it worked in."""
    directory = place / "theirs"
    said = {}
    for name, case in CASES.items():
        shutil.copytree(images, directory / name)
        said[name] = run_theirs(case, directory / name)
    return said, directory


@pytest.mark.parametrize("name", CASES)
def test_output_and_exit_code_are_qemu_imgs(boot, theirs, name):
    step, (text, status) = boot[0][name], theirs[0][name]
    assert status == CASES[name].status, "the case itself is wrong"
    assert step.status == status, f"{step.line}: exit {step.status}\n{step.out}{step.err}"
    assert comparable_output(step.out) == comparable_output(text)
    assert (PROGRESS.sub("", step.err).strip() == "") == (
        status in (0, 1) and " -r " not in CASES[name].line
    )


@pytest.mark.parametrize("name", CASES)
def test_images_are_as_qemu_img_leaves_them(boot, images, theirs, name):
    ours, theirs = boot[1] / name, theirs[1] / name
    assert {path.name for path in ours.iterdir()} == {path.name for path in theirs.iterdir()}
    for path in ours.iterdir():
        if path.name in CASES[name].changes:
            judge(path, theirs / path.name)
        else:
            assert (
                path.read_bytes() == (images / path.name).read_bytes()
            ), f"{path.name} was changed"


@pytest.mark.parametrize("name", [name for name in CASES if " -p " in CASES[name].line])
def test_progress_goes_from_nothing_to_everything(boot, name):
    """On standard error, so that what is redirected has results only."""
    shown = [float(percent) for percent in PROGRESS.findall(boot[0][name].err)]
    assert shown == sorted(shown) and shown[0] == 0 and shown[-1] == 100 and len(shown) > 2


def test_the_volume_is_sound(boot):
    assert boot[2].fsck() == ""
