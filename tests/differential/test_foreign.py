# SPDX-License-Identifier: BSD-2-Clause
"""Files that are no raw disks, made by the programs that own their formats.

`info` names them, and all that would read a disk refuses them.

Findings trial A2 and conformance 2.
"""

import shlex
import shutil
import subprocess
import tarfile
import zipfile

import pytest

from images import qemu_img
from oracle import EFI_IMG, Result

MIB = 1 << 20
IMAGES = [
    ("luks", ""),
]
PACKERS = {
    "gzip": "gzip -S .packed disk",
    "xz": "xz -S .packed disk",
    "bzip2": "bzip2 disk",
    "zstd": "zstd -q disk -o disk.packed",
    "lz4": "lz4 -q disk disk.packed",
    "7z": "7z a -t7z disk.packed disk",
}
COMMANDS = (
    "convert x t",
    "convert -O qcow2 x t",
    "dd if=x of=t",
    "compare x x",
    "hash x",
    "map x",
    "measure -O qcow2 x",
    "check x",
    "resize x +1M",
    "amend -o compat=0.10 x",
    "bench -c 1 x",
    "commit x",
    "rebase -u -b '' x",
    "snapshot -l x",
    "snapshot -c s x",
    "bitmap --add x b",
)


def efi_img(folder, *args):
    return Result([EFI_IMG, *args], folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_foreign(folder, format):
    """`info` says what x is, all else refuses it with what to do; -f raw gives its bytes."""
    before = contents(folder)
    info = efi_img(folder, "info", "x")
    assert info.code == 0 and f"file format: {format}\n" in info.out, info.out
    assert "virtual size" not in info.out
    json = efi_img(folder, "info", "--output=json", "x").json()
    theirs = Result(["qemu-img", "info", "--output=json", "-f", "raw", "x"], folder).json()
    assert json == {"filename": "x", "format": format, "actual-size": theirs["actual-size"]}
    for command in COMMANDS:
        refused = efi_img(folder, *shlex.split(command))
        assert refused.code == (2 if command.startswith("compare") else 1), (command, refused.err)
        assert refused.err.startswith("efi-img: x: this is "), (command, refused.err)
        assert "give -f raw" in refused.err, (command, refused.err)
    assert contents(folder) == before
    assert efi_img(folder, "convert", "-f", "raw", "x", "t").code == 0
    copy, n = (folder / "t").read_bytes(), len(before["x"])
    assert copy[:n] == before["x"] and len(copy) - n < 512 and not any(copy[n:])


@pytest.mark.parametrize("format, options", IMAGES)
def test_image(tmp_path, format, options):
    secret = ("--object", "secret,id=s,data=abc") if format == "luks" else ()
    options = "key-secret=s,iter-time=20" if format == "luks" else options
    words = [*secret, *(("-o", options) if options else ())]
    qemu_img(tmp_path, "create", "-q", "-f", format, *words, "x", "4M")
    assert_foreign(tmp_path, format)
    theirs = Result(["qemu-img", "info", "--output=json", "x"], tmp_path)
    assert theirs.json()["format"] == format


@pytest.mark.parametrize("format", PACKERS)
def test_packed(tmp_path, format):
    (tmp_path / "disk").write_bytes(bytes(MIB) + bytes(range(256)) * 100)
    subprocess.run(PACKERS[format].split(), cwd=tmp_path, check=True, capture_output=True)
    (packed,) = tmp_path.glob("disk.*")
    packed.rename(tmp_path / "x")
    assert_foreign(tmp_path, format)


@pytest.mark.parametrize("kind", ["ustar", "gnu", "pax"])
def test_tar(tmp_path, kind):
    (tmp_path / "disk").write_bytes(bytes(MIB))
    formats = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    with tarfile.open(tmp_path / "x", "w", format=formats[kind]) as archive:
        archive.add(tmp_path / "disk", "disk.raw")
    assert_foreign(tmp_path, "tar")


def test_ova_without_a_disk(tmp_path):
    """Archives with disks are read (test_ova.py); this one is refused in words of its own."""
    (tmp_path / "machine.ovf").write_text("<Envelope/>")
    with tarfile.open(tmp_path / "x", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(tmp_path / "machine.ovf", "machine.ovf")
    info = efi_img(tmp_path, "info", "x")
    assert info.code == 0 and "file format: ova\n" in info.out
    for command in COMMANDS:
        refused = efi_img(tmp_path, *shlex.split(command))
        assert refused.code == (2 if command.startswith("compare") else 1), (command, refused.err)
        assert refused.err == (
            "efi-img: x: this is a virtual machine in an archive, and its descriptor machine.ovf "
            "names no disk\n"
        ), command


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("disk.raw", bytes(MIB))
    assert_foreign(tmp_path, "zip")


def test_program(tmp_path):
    shutil.copy(EFI_IMG, tmp_path / "x")
    assert_foreign(tmp_path, "elf")


@pytest.mark.parametrize(
    "head", [b"", b"\x1f\x8b", b"# a text\n", b"\xeb\x3c\x90MSDOS5.0", b"7z", b"PK", b"MZ", b"BZh"]
)
def test_anything_else_is_raw(tmp_path, head):
    """As for qemu-img."""
    (tmp_path / "x").write_bytes(head + bytes(range(256)) * 40)
    ours, theirs = efi_img(tmp_path, "info", "x"), Result(["qemu-img", "info", "x"], tmp_path)
    assert (ours.code, ours.out, ours.err) == (0, theirs.out, "")


def test_backing_file(tmp_path):
    """A probed backing file is refused; one that is said to be raw is read as qemu-img reads it."""
    with zipfile.ZipFile(tmp_path / "x", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("disk.raw", bytes(MIB))
    qemu_img(tmp_path, *"create -q -f qcow2 -u -b x -F luks overlay 4M".split())
    refused = efi_img(tmp_path, "convert", "-O", "qcow2", "overlay", "t")
    assert refused.code == 1 and not (tmp_path / "t").exists()
    qemu_img(tmp_path, "rebase", "-u", "-b", "x", "-F", "raw", "overlay")
    assert efi_img(tmp_path, "convert", "overlay", "t").code == 0
    qemu_img(tmp_path, "convert", "overlay", "theirs")
    assert (tmp_path / "t").read_bytes() == (tmp_path / "theirs").read_bytes()
    image = (tmp_path / "overlay").read_bytes()
    unknown = image.replace(b"\xe2\x79\x2a\xca\0\0\0\3", b"\xee\xee\xee\xee\0\0\0\3")
    (tmp_path / "overlay").write_bytes(unknown)
    for command in (
        "convert overlay u",
        "commit overlay",
        "compare overlay t",
        "info --backing-chain overlay",
    ):
        refused = efi_img(tmp_path, *command.split())
        assert refused.code != 0, refused.err
        assert "backing file of overlay: x: this is a zip archive" in refused.err, refused.err
