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
from rig.place import fresh_place  # noqa: E402


def pytest_addoption(parser):
    parser.addoption(
        "--whole",
        action="store_true",
        help="start all restored disks, and use the firmware of each release",
    )


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
    """A directory for the images of one test file."""
    name = request.module.__name__.removeprefix("test_")
    with fresh_place(ROOT / "build" / "boot" / name, request.session) as path:
        yield path


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
