# SPDX-License-Identifier: BSD-2-Clause
"""
Images in several files: opened as one by every command, and, put behind each other, as one by
qemu-img.
"""

import random

import subprocess

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Result

SIZE = 6 * MIB


@pytest.fixture
def place(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "source.qcow2", str(SIZE))
    qemu_io(
        tmp_path,
        "source.qcow2",
        *random_writes(1, SIZE, compressed=True),
        f"write -s {EFI_IMG} 1M 2M",
    )
    return tmp_path


def efi_img(place, *words, code=0):
    result = Result([EFI_IMG, *words], place)
    assert result.code == code, result.out + result.err
    return result


def parts(place, name):
    return [place / name, *sorted(place.glob(name + ".???"))]


def judge(place, name, format, source="source.qcow2"):
    """
    What `cat` makes of it is the image, whole, for qemu-img; and each part is as long as it may be.
    """
    files = parts(place, name)
    (place / "whole").write_bytes(b"".join(file.read_bytes() for file in files))
    if format == "qcow2":
        qemu_img(place, "check", "-q", "-f", "qcow2", "whole")
    qemu_img(place, "compare", "-q", "-f", "qcow2", "-F", format, source, "whole")
    assert (
        len(files) == 1
        or len({file.stat().st_size for file in files[:-1]}) == 1
        and files[-1].stat().st_size < files[0].stat().st_size
    )
    return len(files)


@pytest.mark.parametrize(
    "words, format",
    [
        (("-O", "raw"), "raw"),
        (("-O", "raw", "-S", "0"), "raw"),
        (("-O", "qcow2"), "qcow2"),
        (("-c", "-O", "qcow2"), "qcow2"),
        (("-O", "qcow2", "-o", "preallocation=full"), "qcow2"),
        (("-O", "qcow2", "-o", "preallocation=metadata,cluster_size=4k"), "qcow2"),
    ],
)
@pytest.mark.parametrize("limit", ["1M", "2M", "1500000"])
def test_convert(place, words, format, limit):
    said = efi_img(
        place, "convert", "-f", "qcow2", *words, f"--split={limit}", "source.qcow2", "t"
    ).out
    n = judge(place, "t", format)
    if n == 1:
        assert said == ""
        return
    assert f"t is in {n} files, t, t.001" in said
    assert said.endswith("cat 't' 't'.[0-9][0-9][0-9] > whole-'t'\n")
    assert max(file.stat().st_size for file in parts(place, "t")) <= {"1M": MIB, "2M": 2 * MIB}.get(
        limit, 1500000
    )
    efi_img(place, "compare", "-F", format, "source.qcow2", "t")
    if format == "qcow2":
        efi_img(place, "check", "t")
        ours, theirs = (
            efi_img(place, "info", "--output=json", "t").json(),
            Result(["qemu-img", "info", "--output=json", "whole"], place).json(),
        )
        assert (
            ours["virtual-size"] == theirs["virtual-size"]
            and ours["format-specific"] == theirs["format-specific"]
        )
    back = efi_img(place, "convert", "-f", format, "-O", "qcow2", "t", "back.qcow2")
    assert back.out == ""
    qemu_img(place, "compare", "-q", "source.qcow2", "back.qcow2")


def test_changed_afterwards(place):
    """Snapshots, more data, resizes: it grows into new parts, and stays an image at every step."""
    efi_img(place, "convert", "-O", "qcow2", "--split=1M", "source.qcow2", "t")
    before = len(parts(place, "t"))
    efi_img(place, "snapshot", "-c", "s", "t")
    (place / "new.raw").write_bytes(random.Random(3).randbytes(SIZE))
    efi_img(place, "convert", "-n", "-f", "raw", "-O", "qcow2", "new.raw", "t")
    efi_img(place, "check", "t")
    efi_img(place, "resize", "t", "+2M")
    efi_img(place, "compare", "-f", "raw", "new.raw", "t")
    assert len(parts(place, "t")) > before + 3
    efi_img(place, "snapshot", "-a", "s", "t")
    judge(place, "t", "qcow2")


def test_as_backing_file(place):
    efi_img(place, "convert", "-O", "qcow2", "--split=1M", "source.qcow2", "base")
    efi_img(place, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "over.qcow2")
    efi_img(place, "compare", "source.qcow2", "over.qcow2")


def test_create(place):
    efi_img(place, "create", "-f", "raw", "--split=1M", "r", "3M")
    assert (
        b"".join(file.read_bytes() for file in parts(place, "r")) == bytes(3 * MIB)
        and len(parts(place, "r")) == 4
    )
    efi_img(place, "create", "-f", "qcow2", "-o", "preallocation=full", "--split=1M", "q", "3M")
    efi_img(place, "check", "q")
    assert len(parts(place, "q")) == 4


def test_missing_and_stale_parts(place):
    efi_img(place, "convert", "-O", "qcow2", "--split=1M", "source.qcow2", "t")
    second = (place / "t.001").read_bytes()
    for name in ("t.001", "t.002"):
        content = (place / name).read_bytes()
        (place / name).unlink()
        assert f"part {name} is missing" in efi_img(place, "info", "t", code=1).err
        (place / name).write_bytes(content[:-1])
        assert (
            "are not parts of one image, or one is not complete"
            in efi_img(place, "info", "t", code=1).err
        )
        (place / name).write_bytes(content)
    efi_img(place, "check", "t")
    (place / "whole.qcow2.001").write_bytes(second)
    (place / "whole.qcow2.002").write_bytes(b"x")
    efi_img(place, "convert", "-O", "qcow2", "source.qcow2", "whole.qcow2")
    efi_img(place, "check", "whole.qcow2")
    assert (
        efi_img(place, "info", "--output=json", "whole.qcow2").json()["actual-size"]
        <= (place / "whole.qcow2").stat().st_size
    )


def test_an_existing_part_is_not_overwritten(place):
    (place / "t.001").write_bytes(b"mine")
    assert (
        "t.001: the file exists already"
        in efi_img(place, "convert", "-O", "qcow2", "--split=1M", "source.qcow2", "t", code=1).err
    )
    assert not (place / "t").exists() and (place / "t.001").read_bytes() == b"mine"
    efi_img(place, "convert", "-O", "qcow2", "--split=1M", "--force", "source.qcow2", "t")
    efi_img(place, "convert", "-O", "raw", "--split=2M", "--force", "source.qcow2", "t")
    assert judge(place, "t", "raw") == 4
    efi_img(place, "convert", "-O", "raw", "--force", "source.qcow2", "t")
    assert len(parts(place, "t")) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "--split=1000", "source.qcow2", "t"),
        ("convert", "--split=x", "source.qcow2", "t"),
        ("convert", "-n", "--split=1M", "source.qcow2", "t"),
        ("create", "--split=10k", "t", "1M"),
    ],
)
def test_refused(place, words):
    before = sorted(place.iterdir())
    efi_img(place, *words, code=1)
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize("name", ["t", "it's one", "$(t) `t`"])
def test_the_line_that_joins_them(place, name):
    """It is run as it was printed, beside files with names that are nearly those of parts."""
    said = efi_img(place, "convert", "-O", "raw", "--split=1M", "source.qcow2", name).out
    for ending in (".bak", ".map", ".0011"):
        (place / f"{name}{ending}").write_bytes(b"other")
    line = said.partition("To join them elsewhere: ")[2]
    subprocess.run(["sh", "-c", line], cwd=place, check=True)
    efi_img(place, "convert", "-O", "raw", "source.qcow2", "flat")
    assert (place / f"whole-{name}").read_bytes() == (place / "flat").read_bytes()
