# SPDX-License-Identifier: BSD-2-Clause
"""
What all boot tests need. Each test file boots its machine once, with many commands, and looks
at the results one by one.
"""

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
sys.dont_write_bytecode = True

# What make usb puts on a stick beside the program.
STICK = (ROOT / "build" / "efi-img.man", ROOT / "scripts" / "capture.nsh")

from rig import disks  # noqa: E402  (found through the line above)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """
    A copy of the program under test, the same for all tests of a run. Without it nothing is
    skipped: everything fails.
    """
    path = ROOT / "build" / "x86_64" / "efi-img.efi"
    assert path.is_file(), f"{path} is not there: run make first"
    copy = tmp_path_factory.mktemp("program") / "efi-img.efi"
    return Path(shutil.copyfile(path, copy))


@pytest.fixture(scope="module")
def place(request):
    """
    An empty directory for the images of one test file. If one of its tests fails, it stays for
    a look at them until the next run.
    """
    path = ROOT / "build" / "boot" / request.module.__name__.removeprefix("test_")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    failed = request.session.testsfailed
    yield path
    if request.session.testsfailed == failed:
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def make_stick(place, program):
    """Makes a FAT32 stick with the program in its root."""

    def make(**options):
        stick = disks.Volume(disks.make_disk(place / "stick.img", 128 * disks.MIB)).format(
            32, cluster=1024, label="STICK", **options
        )
        stick.put(program, "/efi-img.efi")
        return stick

    return make
