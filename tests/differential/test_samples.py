# SPDX-License-Identifier: BSD-2-Clause
"""
Images that other programs have written: efi-img shows of them what qemu-img shows, as soon as it
has their format; until then it says what they are.
"""

import pytest

import samples
from format_kinds import readable
from oracle import EFI_IMG, Result, assert_info_as_qemu


CONTENTS_MAX = 2 << 30  # bytes of a disk that is compared byte by byte
READABLE = readable()


def test_every_sample_is_listed():
    packed = {path.name.removesuffix(".bz2") for path in samples.FOLDER.glob("*.bz2")}
    assert packed == set(samples.FORMATS)
    readme = (samples.FOLDER / "README.md").read_text()
    assert all(f"| `{name}` |" in readme for name in packed)


@pytest.mark.parametrize("name", samples.names())
def test_sample(tmp_path, name):
    samples.unpack(name, tmp_path)
    format = samples.FORMATS[name]
    ours = Result([EFI_IMG, "info", "--output=json", name], tmp_path)
    assert ours.code == 0 and ours.json()["format"] == format, ours.err
    if format not in READABLE or name in samples.UNREPLAYED:
        return
    assert_info_as_qemu(tmp_path, name)
    if ours.json()["virtual-size"] > CONTENTS_MAX:
        return
    made = Result([EFI_IMG, "convert", "-O", "raw", name, "flat"], tmp_path)
    assert made.code == 0, made.err
    same = Result(["qemu-img", "compare", "-f", format, "-F", "raw", name, "flat"], tmp_path)
    assert same.code == 0 and same.out == "Images are identical.\n", same.out + same.err


@pytest.mark.parametrize("name", samples.REFUSED)
def test_refused(tmp_path, name):
    """No disk is shown, and nothing is read; only what the file is may be said."""
    samples.unpack(name, tmp_path)
    format = samples.FORMATS[name]
    info = Result([EFI_IMG, "info", name], tmp_path)
    assert "virtual size" not in info.out
    assert info.code == (1 if format in READABLE else 0)
    done = Result([EFI_IMG, "convert", "-O", "raw", name, "t"], tmp_path)
    assert done.code == 1 and done.err.startswith(f"efi-img: {name}: ")
    assert not (tmp_path / "t").exists()
