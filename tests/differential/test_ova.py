# SPDX-License-Identifier: BSD-2-Clause
"""
Disks in tar archives, with and without the descriptor of a virtual machine (OVA), as Python's
tarfile and GNU tar write them. qemu-img reads the same ranges of the archive.
"""

import json
import subprocess
import tarfile

import pytest

import readonly
from images import qemu_img
from oracle import EFI_IMG, Result

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}

DESCRIPTOR = """<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References>{files}</References>
  <DiskSection><Info>Virtual disks</Info>{disks}</DiskSection>
  <VirtualSystem ovf:id="vm"><Info>A machine</Info><Disk/></VirtualSystem>
</Envelope>
"""


def descriptor(*names):
    files = "".join(f'<File ovf:href="{n}" ovf:id="f{i}"/>' for i, n in enumerate(names))
    disks = "".join(
        f'<Disk ovf:capacity="1" ovf:diskId="d{i}" ovf:fileRef="f{i}"/>' for i in range(len(names))
    )
    return DESCRIPTOR.format(files=files, disks=disks)


def make(folder, archive, *names, format="ustar"):
    with tarfile.open(folder / archive, "w", format=FORMATS[format]) as tar:
        for name in names:
            tar.add(folder / name, name)


def disks(folder):
    """The same disk in every format."""
    (folder / "flat").write_bytes(readonly.disk(1, 6000))
    for name, format, *options in (
        ("d.qcow2", "qcow2"),
        ("d.vmdk", "vmdk", "-o", "subformat=streamOptimized"),
        ("d.vhdx", "vhdx"),
        ("d.vdi", "vdi"),
        ("d.raw", "raw"),
    ):
        qemu_img(folder, "convert", "-f", "raw", "-O", format, *options, "flat", name)
    (folder / "d.dmg").write_bytes(readonly.dmg((folder / "flat").read_bytes()))
    (folder / "d.cloop").write_bytes(readonly.cloop((folder / "flat").read_bytes(), 512 * 6))
    return ["d.qcow2", "d.vmdk", "d.vhdx", "d.vdi", "d.raw", "d.dmg", "d.cloop"]


def assert_same(folder, name, *options):
    same = Result([EFI_IMG, "compare", *options, name, "flat"], folder)
    assert (same.code, same.out) == (0, "Images are identical.\n"), same.err


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_in_an_archive(tmp_path, format):
    names = disks(tmp_path)
    make(tmp_path, "all.tar", "flat", *names, format=format)
    for name in names:
        assert_same(tmp_path, f"all.tar/{name}")
        info = Result([EFI_IMG, "info", "--output=json", f"all.tar/{name}"], tmp_path).json()
        alone = Result([EFI_IMG, "info", "--output=json", name], tmp_path).json()
        assert info["filename"] == f"all.tar/{name}" and info["format"] == alone["format"]
        assert info["actual-size"] == (tmp_path / name).stat().st_size
        made = Result([EFI_IMG, "convert", "-O", "raw", f"all.tar/{name}", "t"], tmp_path)
        assert made.code == 0, made.err
        assert (tmp_path / "t").read_bytes() == (tmp_path / "flat").read_bytes()
        (tmp_path / "t").unlink()


def test_qemu_reads_the_same_range(tmp_path):
    disks(tmp_path)
    make(tmp_path, "vm.ova", "flat", "d.qcow2")
    with tarfile.open(tmp_path / "vm.ova") as tar:
        member = tar.getmember("d.qcow2")
    file = {"driver": "raw", "file": {"driver": "file", "filename": "vm.ova"}}
    file |= {"offset": member.offset_data, "size": member.size}
    name = "json:" + json.dumps({"driver": "qcow2", "file": file})
    theirs = Result(["qemu-img", "map", "--output=json", name], tmp_path).json()
    ours = Result([EFI_IMG, "map", "--output=json", "vm.ova/d.qcow2"], tmp_path).json()
    # Offsets of qemu-img are those in the archive.
    for entry in theirs:
        if "offset" in entry:
            entry["offset"] -= member.offset_data
    assert [{k: e[k] for k in ("start", "length", "data", "zero")} for e in ours] == [
        {k: e[k] for k in ("start", "length", "data", "zero")} for e in theirs
    ]


@pytest.mark.parametrize("disk", ["d.vmdk", "d.qcow2", "d.vhdx"])
def test_the_only_disk(tmp_path, disk):
    disks(tmp_path)
    (tmp_path / "m.ovf").write_text(descriptor(disk))
    make(tmp_path, "vm.ova", "m.ovf", "flat", disk)
    info = Result([EFI_IMG, "info", "vm.ova"], tmp_path)
    assert info.code == 0 and info.out.startswith(f"image: vm.ova/{disk}\n")
    assert_same(tmp_path, "vm.ova")
    a, b = (Result([EFI_IMG, "hash", name], tmp_path).out.split()[0] for name in ("vm.ova", "flat"))
    assert a == b
    measured = [
        Result([EFI_IMG, "measure", "-O", "qcow2", name], tmp_path).out for name in (disk, "vm.ova")
    ]
    assert measured[0] == measured[1]


def test_several_disks(tmp_path):
    disks(tmp_path)
    (tmp_path / "m.ovf").write_text(descriptor("d.vmdk", "d.raw"))
    make(tmp_path, "vm.ova", "m.ovf", "d.vmdk", "d.raw")
    made = Result([EFI_IMG, "convert", "-O", "raw", "vm.ova", "t"], tmp_path)
    assert made.code == 1 and not (tmp_path / "t").exists()
    assert "with 2 disks; name one of them: vm.ova/d.vmdk, vm.ova/d.raw\n" in made.err
    info = Result([EFI_IMG, "info", "vm.ova"], tmp_path)
    assert info.code == 0 and "file format: ova\n" in info.out and "name one of" in info.err
    assert_same(tmp_path, "vm.ova/d.vmdk")
    assert_same(tmp_path, "vm.ova/d.raw")


def test_files_of_an_image(tmp_path):
    """A flat VMDK and an overlay find their other files in the archive."""
    (tmp_path / "flat").write_bytes(readonly.disk(2, 4000))
    for options in (["-O", "vmdk", "-o", "subformat=monolithicFlat", "flat", "d.vmdk"],):
        qemu_img(tmp_path, "convert", "-f", "raw", *options)
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "d.vmdk", "-F", "vmdk", "o.qcow2")
    (tmp_path / "m.ovf").write_text(descriptor("sub/d.vmdk"))
    with tarfile.open(tmp_path / "vm.ova", "w") as tar:
        tar.add(tmp_path / "m.ovf", "m.ovf")
        for name in ("d.vmdk", "d-flat.vmdk", "o.qcow2"):
            tar.add(tmp_path / name, f"sub/{name}")
            (tmp_path / name).unlink()
    assert_same(tmp_path, "vm.ova")
    assert_same(tmp_path, "vm.ova/sub/o.qcow2")


def test_more_than_8_gib(tmp_path):
    """Sizes that do not fit into the octal digits of a header; the archive has holes."""
    big = 9 << 30
    (tmp_path / "flat").write_bytes(readonly.disk(3, 1000))
    for format in ("gnu", "pax"):
        with open(tmp_path / "big.tar", "wb") as out:
            member = tarfile.TarInfo("big.raw")
            member.size = big
            out.write(member.tobuf(FORMATS[format]))
            out.seek(big - 512, 1)
            out.write(b"\x5a" * 512)
            member = tarfile.TarInfo("d.raw")
            member.size = 1000 * 512
            out.write(member.tobuf(FORMATS[format]) + (tmp_path / "flat").read_bytes())
            out.write(bytes(10240))
        assert_same(tmp_path, "big.tar/d.raw")
        info = Result([EFI_IMG, "info", "--output=json", "big.tar/big.raw"], tmp_path)
        assert info.json()["virtual-size"] == big
        last = Result(
            [EFI_IMG, "dd", "bs=512", f"skip={(big >> 9) - 1}", "if=big.tar/big.raw", "of=t"],
            tmp_path,
        )
        assert last.code == 0 and (tmp_path / "t").read_bytes() == b"\x5a" * 512
        (tmp_path / "t").unlink()


def test_gnu_tar(tmp_path):
    name = "a/" + "long name " * 20 + "d.raw"
    (tmp_path / "a").mkdir()
    (tmp_path / name).write_bytes(readonly.disk(4, 500))
    (tmp_path / "flat").write_bytes(readonly.disk(4, 500))
    with open(tmp_path / "a" / "holes", "wb") as out:
        out.truncate(10 << 20)
    for format in ("gnu", "pax", "posix"):
        done = subprocess.run(
            ["tar", f"--format={format}", "-cSf", "x.tar", "a"], cwd=tmp_path, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        assert_same(tmp_path, f"x.tar/{name}")
        sparse = Result([EFI_IMG, "info", "-f", "raw", "x.tar/a/holes"], tmp_path)
        assert sparse.code == 1
        assert "stored without its holes" in sparse.err or "no such" in sparse.err


def test_truncated(tmp_path):
    disks(tmp_path)
    (tmp_path / "m.ovf").write_text(descriptor("d.vmdk"))
    make(tmp_path, "vm.ova", "m.ovf", "d.vmdk")
    whole = (tmp_path / "vm.ova").read_bytes()
    (tmp_path / "vm.ova").write_bytes(whole[:100000])
    info = Result([EFI_IMG, "info", "vm.ova/d.vmdk"], tmp_path)
    assert info.code == 1 and "ends past the end of the archive (size 100000)" in info.err
    made = Result([EFI_IMG, "convert", "-O", "raw", "vm.ova", "t"], tmp_path)
    assert made.code == 1 and "archive" in made.err
