# SPDX-License-Identifier: BSD-2-Clause
"""
What the Makefile builds again, in a copy of what it reads: an object whose flags have changed, and
an object that was deleted although the program made of it is there.
"""

import os
import shutil
import subprocess

import pytest
from conftest import ROOT

OBJECT, PROGRAM = "build/host/core/base/hex.o", "build/host/measure"


@pytest.fixture(name="place")
def tree(tmp_path):
    for name in ("Makefile", "VERSION", "core", "drivers", "efi", "scripts"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tests/bench", tmp_path / "tests/bench")
    (tmp_path / "tests/unit").mkdir()
    shutil.copy(ROOT / "tests/unit/processors.mk", tmp_path / "tests/unit")
    return tmp_path


def make(place, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(["make", "-C", place, *words], env=environment, check=True)


def time_of(place, *words):
    """When the object was built, after the words were made."""
    make(place, *words)
    return (place / OBJECT).stat().st_mtime_ns


def test_other_flags(place):
    first = time_of(place, OBJECT)
    assert time_of(place, OBJECT) == first
    second = time_of(place, OBJECT, "OPTIMIZE=-O1")
    assert second != first
    assert time_of(place, OBJECT, "OPTIMIZE=-O1") == second
    makefile = place / "Makefile"
    text = makefile.read_text()
    makefile.write_text(text + "\nbuild/host/core/base/hex.o: OPTIMIZE := -O1\n")
    third = time_of(place, OBJECT)
    assert third != second
    makefile.write_text(text + "\n# a comment\n")
    make(place, OBJECT)
    fourth = time_of(place, OBJECT)
    assert time_of(place, OBJECT, "ARCH=ia32") == fourth


def test_deleted_object(place):
    make(place, PROGRAM)
    (lost,) = (place / "build/host").rglob("measure.o")
    lost.unlink()
    make(place, PROGRAM)
    assert lost.exists()
