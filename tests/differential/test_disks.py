# SPDX-License-Identifier: BSD-2-Clause
"""
Disks and partitions by name, for reading: every command that takes a file takes them, and says
what qemu-img says of the same bytes.
"""

import json
import os
import random
import subprocess

import jsonschema
import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, ROOT, Result

SCHEMA = json.loads((ROOT / "tests" / "schema" / "list.json").read_text())

PARTS = {1: (1 * MIB, 4 * MIB), 2: (5 * MIB, 6 * MIB)}  # number: start, size


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """
    Disk a: a GPT with data in partition 1 and a qcow2 image in partition 2; disk b: a qcow2
    image on all of it; disk c: nothing.
    """
    place = tmp_path_factory.mktemp("disks")
    qemu_img(place, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "image.qcow2", "8M")
    qemu_io(place, "image.qcow2", *random_writes(3, 5 * MIB))
    (place / "one.raw").write_bytes(random.Random(1).randbytes(MIB) + bytes(3 * MIB))
    with open(place / "a.img", "wb") as disk:
        disk.truncate(16 * MIB)
    subprocess.run(
        ["sgdisk", "-a", "1", "-n", "1:2048:10239", "-n", "2:10240:22527", "a.img"],
        cwd=place,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    )
    for number, name in ((1, "one.raw"), (2, "image.qcow2")):
        data = (place / name).read_bytes()
        assert len(data) <= PARTS[number][1]
        with open(place / "a.img", "r+b") as disk:
            disk.seek(PARTS[number][0])
            disk.write(data)
    (place / "b.img").write_bytes((place / "image.qcow2").read_bytes().ljust(12 * MIB, b"\0"))
    (place / "c.img").write_bytes(bytes(MIB))
    return place


def efi_img(place, *words, disks="a.img,serial=S4X9:b.img@4096:c.img,serial=C1"):
    os.environ["EFI_IMG_DISKS"] = disks
    try:
        return Result([EFI_IMG, *words], place)
    finally:
        del os.environ["EFI_IMG_DISKS"]


def listed(place, **how):
    found = json.loads(efi_img(place, "list", "--output=json", **how).out)
    jsonschema.validate(found, SCHEMA)
    return found


def guids(place):
    """The names by GUID of disk a and of its partitions."""
    disk = listed(place)[0]
    return "guid=" + disk["disk-guid"], *("guid=" + part["guid"] for part in disk["partitions"])


def test_the_schema_of_list_is_strict(place):
    """It refuses a key that is missing, one that is not described, and a value of another type."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for key in ("serial", "partitions", "disk-guid"):
        found = listed(place)
        del found[0][key]
        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(found)
    for change in (
        {"colour": "blue"},
        {"size": "1G"},
        {"partition-table": "apm"},
        {"disk-signature": 5},
    ):
        found = listed(place)
        found[0].update(change)
        assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(found)


def test_list_says_the_names_that_stay_right(place):
    a, b, c = listed(place)
    assert [disk["selector"] for disk in (a, b, c)] == ["serial=S4X9", "path=b.img", "serial=C1"]
    assert [part["selector"] for part in a["partitions"]] == ["serial=S4X9:1", "serial=S4X9:2"]
    text = efi_img(place, "list").out
    assert all(disk["selector"] in text for disk in (a, b, c))


def test_two_disks_with_the_same_serial_number(place):
    """Then it names neither; the GUID does, or the path."""
    disks = "a.img,serial=TWIN:c.img,serial=twin"
    a, c = listed(place, disks=disks)
    assert a["selector"] == guids(place)[0] and c["selector"] == "path=c.img"
    ours = efi_img(place, "info", "serial=TWIN", disks=disks)
    assert (
        ours.code == 1
        and "2 disks or partitions match" in ours.err
        and guids(place)[0] in ours.err
        and "path=c.img" in ours.err
    )


@pytest.mark.parametrize("by", ["serial", "guid", "guid-of-disk", "path", "map"])
def test_convert_by_every_kind_of_name(place, tmp_path, by):
    disk, one, two = guids(place)
    names = {
        "serial": ("serial=s4x9:1", "serial=S4X9:2"),
        "guid": (one, two.upper().replace("GUID=", "guid=")),
        "guid-of-disk": (disk + ":1", disk + ":2"),
        "path": ("path=a.img:1", "path=a.img:2"),
        "map": ("blk0:", "blk1:"),
    }[by]
    for name, source in zip(
        names, ("a.img", "image.qcow2") if by == "map" else ("one.raw", "image.qcow2")
    ):
        ours = efi_img(place, "convert", "-O", "qcow2", name, str(tmp_path / "t"), "--force")
        assert (ours.code, ours.err) == (0, ""), ours.err
        assert (
            Result(["qemu-img", "compare", "-F", "qcow2", source, str(tmp_path / "t")], place).code
            == 0
        )
        assert Result(["qemu-img", "check", str(tmp_path / "t")], place).code == 0


@pytest.mark.parametrize("name", ["serial=S4X9:2", "path=b.img", "blk1:"])
def test_image_directly_on_a_disk_or_partition(place, name):
    """
    info, check, map, measure, snapshot -l: as qemu-img says it of the file that was put there.
    """
    for words in (
        ("info", "--output=json"),
        ("check", "--output=json"),
        ("map", "--output=json"),
        ("measure", "--output=json", "-O", "raw"),
        ("snapshot", "-l"),
    ):
        ours, theirs = efi_img(place, *words, name), Result(
            ["qemu-img", *words, "image.qcow2"], place
        )
        assert (ours.code, ours.err) == (theirs.code, theirs.err) == (0, ""), ours.err
        if "--output=json" not in words:
            assert ours.out == theirs.out
            continue
        ours, theirs = json.loads(ours.out), json.loads(theirs.out)
        if isinstance(ours, dict) and "filename" in ours:
            assert ours.pop("filename") == name and theirs.pop("filename")
            ours.pop("actual-size", None), theirs.pop("actual-size", None)
            ours.pop("disk", None), ours.pop("partition", None)  # of the list
        assert ours == theirs


def test_compare(place):
    for names, code in (
        (("serial=S4X9:1", "one.raw"), 0),
        (("image.qcow2", "path=b.img"), 0),
        (("serial=S4X9:2", "path=b.img"), 0),
        (("serial=S4X9:1", "path=b.img"), 1),
        (("serial=none", "one.raw"), 2),
    ):
        assert efi_img(place, "compare", *names).code == code


def test_dd(place, tmp_path):
    ours = efi_img(
        place, "dd", "bs=64k", "skip=3", "count=20", "if=serial=S4X9:1", f"of={tmp_path}/t"
    )
    assert (
        ours.code == 0
        and (tmp_path / "t").read_bytes() == (place / "one.raw").read_bytes()[3 << 16 : 23 << 16]
    ), ours.err


def test_info_of_a_disk_has_what_list_says(place):
    """After qemu-img's lines, the lines of the list, and in JSON its object."""
    disks = listed(place)
    blocks = efi_img(place, "list").out.split("\n\n")
    for disk, block in zip(disks, blocks):
        text = efi_img(place, "info", "-f", "raw", disk["selector"]).out
        lines, _, ours = text.partition("Disk, as list shows it:\n")
        size = disk["size"]
        human = f"{size // MIB} MiB"
        assert lines == (
            f"image: {disk['selector']}\nfile format: raw\n"
            f"virtual size: {human} ({size} bytes)\ndisk size: {human}\n"
        )
        assert ours.rstrip() == block.rstrip() and ours.endswith("\n")
        info = json.loads(
            efi_img(place, "info", "-f", "raw", "--output=json", disk["selector"]).out
        )
        assert info.pop("disk") == disk
        assert info == {
            "virtual-size": size,
            "filename": disk["selector"],
            "format": "raw",
            "actual-size": size,
            "dirty-flag": False,
        }


def test_info_of_a_partition_has_its_line(place):
    for number, part in enumerate(listed(place)[0]["partitions"], 1):
        name = f"serial=S4X9:{number}"
        text = efi_img(place, "info", name).out
        ours = text.partition("Partition, as list shows it:\n")[2]
        assert ours.startswith(f"  {number} ") and ours in efi_img(place, "list").out
        info = json.loads(efi_img(place, "info", "--output=json", name).out)
        assert info["partition"] == part and "disk" not in info
        assert info["format"] == ("raw" if number == 1 else "qcow2")
    both = efi_img(place, "info", "image.qcow2", "serial=C1").out.split("\n\n")
    assert "as list shows it" not in both[0] and "Disk, as list shows it:" in both[1]


def test_raw_disk_is_data(place):
    ours = json.loads(efi_img(place, "map", "--output=json", "-f", "raw", "serial=C1").out)
    assert [(e["start"], e["length"], e["data"]) for e in ours] == [(0, MIB, True)]
    assert (
        json.loads(efi_img(place, "measure", "--output=json", "-O", "raw", "serial=C1").out)[
            "required"
        ]
        == MIB
    )
    assert "virtual size: 1 MiB" in efi_img(place, "info", "serial=C1").out


def test_overlay_over_a_disk(place, tmp_path):
    """A name of a disk inside an image leads to the disk."""
    ours = efi_img(
        place,
        "create",
        "-f",
        "qcow2",
        "-b",
        "serial=S4X9:1",
        "-F",
        "raw",
        str(tmp_path / "over.qcow2"),
    )
    assert ours.code == 0, ours.err
    assert efi_img(place, "compare", str(tmp_path / "over.qcow2"), "one.raw").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("create", "-f", "qcow2", "serial=C1", "1M"),
        ("create", "serial=C1", "1M"),
        ("resize", "-f", "raw", "serial=C1", "2M"),
        ("snapshot", "-c", "s", "path=b.img"),
        ("check", "-r", "all", "path=b.img"),
        ("amend", "-o", "compat=0.10", "path=b.img"),
        ("bitmap", "--add", "path=b.img", "b"),
        ("commit", "path=b.img"),
        ("rebase", "-b", "", "path=b.img"),
        ("info", "serial=S4X9:7"),
        ("info", "serial="),
        ("convert", "serial=nobody", "t"),
        ("convert", "-O", "qcow2", "-o", "data_file=serial=C1", "one.raw", "t.qcow2"),
    ],
)
def test_what_writes_to_files_does_not_write_to_disks(place, words):
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    ours = efi_img(place, *words)
    assert ours.code == 1 and ours.err.startswith("efi-img: ") and ours.out == "", ours.err
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
