# SPDX-License-Identifier: BSD-2-Clause
"""
Used and unused bytes of LVM2 (core/fs/lvm*.c), with file systems in its volumes.

The overwrite test: every byte that the map calls unused becomes 0xA5. pvck must find no fault, nor
the checkers of the file systems in the volumes, and every file must be as it was. What is more than
linear volumes on one disk, damaged or unknown must have no map, and a reason.
"""

import functools
import json
import os
import re
import stat
import struct
import subprocess

import jsonschema
import pytest

from file_systems import (
    ENVIRONMENT,
    Map,
    blank,
    cut,
    files_of,
    is_deleted,
    no_map,
    overwrite,
    poke,
    refused,
    tool,
)
from images import MIB
from lvm import AREA, BOOT, EXTENT, ID, START, Physical, crc, read_volume, write_volume
from target_disks import efi_img
from test_disks import SCHEMA

SIZE = 160 * MIB + 4096
# in extents of 128 KiB; root is in three parts, not in the order of the disk
VOLUMES = {
    "root": [(400, 200), (16, 100), (700, 212)],
    "home-1": [(200, 200)],
    "swap": [(150, 40)],
    "raw": [(1000, 8)],
}


def make_root(path, tree):
    blank(path, 512 * EXTENT)
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path)
    lines = "".join(f"rm {name}\n" for name in files_of(tree) if is_deleted(name))
    tool("debugfs", "-w", "-f", "-", path, input=lines)
    tool("e2fsck", "-fy", path, ok=(0, 1))


def make_home(path, tree):
    """Its clusters are not at multiples of the map's 4 KiB."""
    blank(path, 200 * EXTENT)
    tool("mkfs.fat", "-F", "16", "-s", "4", path)
    for top in sorted(tree.iterdir()):
        tool("mcopy", "-s", "-i", path, top, "::")
    tool("mdel", "-i", path, *(f"::{name}" for name in files_of(tree) if is_deleted(name)))


@pytest.fixture(scope="module")
def contents(tree, tmp_path_factory):
    """What is in the volumes."""
    place = tmp_path_factory.mktemp("volumes")
    make_root(place / "root", tree)
    make_home(place / "home-1", tree)
    tool("mkswap", blank(place / "swap", 40 * EXTENT))
    (place / "raw").write_bytes(b"\x5a" * 8 * EXTENT)
    return {name: (place / name).read_bytes() for name in VOLUMES}


def make(image, contents, **more):
    blank(image, SIZE)
    physical = Physical(SIZE, VOLUMES, **more)
    physical.write(image)
    for name, segments in VOLUMES.items():
        write_volume(image, segments, contents[name])
    return image


def check(image, sector=1):
    for what in ("headers", "metadata"):
        said = tool("pvck", "--dump", what, "--labelsector", sector, image)
        assert "CHECK" not in said and "vg0" in said, said
    place = image.parent
    for name, segments in VOLUMES.items():
        (place / f"volume-{name}").write_bytes(read_volume(image, segments))
    tool("e2fsck", "-fn", place / "volume-root")
    tool("fsck.vfat", "-n", place / "volume-home-1")
    assert (place / "volume-raw").read_bytes() == b"\x5a" * 8 * EXTENT


def read(image, to):
    (to / "home").mkdir(parents=True)
    (to / "root").mkdir()
    tool("debugfs", "-R", f"rdump / {to / 'root'}", image.parent / "volume-root")
    tool("mcopy", "-s", "-n", "-i", image.parent / "volume-home-1", "::*", to / "home")


def expected(image, place, end):
    """The pages of 4 KiB that are unused: by the maps of the volumes, each alone."""
    free = set(range(START // 4096, (START + (end - START) // EXTENT * EXTENT) // 4096))
    for name, segments in VOLUMES.items():
        volume = place / "alone"
        volume.write_bytes(read_volume(image, segments))
        pages = set()
        for offset, length in Map(volume).extents:
            pages |= set(range(-(-offset // 4096), (offset + length) // 4096))
        ends, last = MIB // 2 // 4096, sum(n for _, n in segments) * EXTENT // 4096
        pages -= set(range(ends)) | set(range(last - ends, last))
        page = 0
        for at, n in segments:
            for on_disk in range(
                (START + at * EXTENT) // 4096, (START + (at + n) * EXTENT) // 4096
            ):
                if page not in pages:
                    free.discard(on_disk)
                page += 1
    return free


KINDS = {
    "default": {},
    "sector-0": {"sector": 0},
    "sector-3": {"sector": 3},
    "two-copies": {"copies": 2},
    "wrapped": {"at": -700},
    "old": {"extension": (0, 0), "last": b""},
    "extension-1": {"extension": (1, 0)},
    "boot-loader": {"boot": ((BOOT, START - BOOT),)},
    "system-id": {"change": ("max_lv = 0", 'system_id = "pc"\nlock_type = "none"')},
    "tags": {"change": ("segment_count = 3", 'segment_count = 3\ntags = ["a", "b\\"c"]')},
    "read-only": {"change": ('"READ", "WRITE", "VISIBLE"', '"READ", "VISIBLE"')},
}


@pytest.mark.parametrize("more", KINDS.values(), ids=KINDS.keys())
def test_lvm(more, contents, tmp_path):
    image = make(tmp_path / "image", contents, **more)
    checker = functools.partial(check, sector=more.get("sector", 1))
    found = overwrite(image, checker, read, tmp_path, 60 * MIB)
    assert (found.type, found.label, found.uuid) == ("LVM", "vg0", ID)
    assert (found.size, found.remark) == (str(SIZE), "")
    pages = {p for at, n in found.extents for p in range(at // 4096, (at + n) // 4096)}
    assert pages == expected(image, tmp_path, SIZE - (more.get("copies") == 2) * MIB)
    assert found.unused == len(pages) * 4096


# what Physical gets, and a word of the reason
WRITTEN = {
    "no-metadata": ({"copies": 0}, "on another disk"),
    "two-data-areas": ({"disks": [(START, 0), (START, 0)]}, "header has something"),
    "no-data-area": ({"disks": []}, "header has something"),
    "data-area-later": ({"disks": [(START + EXTENT, 0)]}, "damaged"),
    "data-area-shorter": ({"disks": [(START, 64 * MIB)]}, "damaged"),
    "extension-3": ({"extension": (3, 1)}, "header has something"),
    "extension-flag": ({"extension": (2, 3)}, "header has something"),
    "ignored": ({"flags": 1}, "on another disk"),
    "prepared": ({"prepared": 512}, "being changed"),
    "boot-loader-in-extents": ({"boot": ((START + EXTENT, 4096),)}, "damaged"),
    "boot-loader-past-end": ({"boot": ((SIZE, 4096),)}, "damaged"),
    "copies-differ": ({"copies": 2, "change": ("seqno = 4", "seqno = 5", 1)}, "copies of its"),
}


@pytest.mark.parametrize("more, word", WRITTEN.values(), ids=WRITTEN.keys())
def test_written(more, word, contents, tmp_path):
    found = no_map(make(tmp_path / "image", contents, **more), word)
    assert found.note == found.reason  # list tells it as well


# text of the metadata, what is there instead, and a word of the reason
VISIBLE = '["READ", "WRITE", "VISIBLE"]'
TEXTS = {
    "two-disks": ("pv0 {", f'pv1 {{\nid = "{ID}"\n}}\npv0 {{', "more than one disk"),
    "thin-pool": ('type = "striped"', 'type = "thin-pool"', "the type thin-pool"),
    "snapshot": ('type = "striped"', 'type = "snapshot"', "the type snapshot"),
    "mirror": ('type = "striped"', 'type = "mirror"', "the type mirror"),
    "raid1": ('type = "striped"', 'type = "raid1"', "the type raid1"),
    "cache": ('type = "striped"', 'type = "cache+CACHE_USES_CACHEVOL"', "the type cache+CACHE"),
    "striped": ("stripe_count = 1", "stripe_count = 2\nstripe_size = 128", "is striped"),
    "two-stripes": ('"pv0", 400', '"pv0", 400,\n"pv0", 10', "damaged"),
    "other-disk": ('"pv0", 400', '"pv1", 400', '"pv1"'),
    "overlap-before": ('"pv0", 400', '"pv0", 390', "damaged"),
    "overlap-after": ('"pv0", 16\n', '"pv0", 60\n', "damaged"),
    "past-the-last": ("pe_count = ", "pe_count = 900 # ", "damaged"),
    "too-many": ("pe_count = ", "pe_count = 9", "damaged"),
    "overflow": ("pe_count = ", "pe_count = 18446744073709551614 # ", "damaged"),
    "no-number": ("pe_count = ", 'pe_count = "" # ', "damaged"),
    "none": ("pe_count = ", "# ", "damaged"),
    "larger": ("dev_size = ", "dev_size = 1 # ", "damaged"),
    "in-metadata": ("pe_start = 2048", "pe_start = 1024", "damaged"),
    "twice": ("pe_start = ", "pe_start = 2048\npe_start = ", "damaged"),
    "exported": ('"RESIZEABLE"', '"EXPORTED", "RESIZEABLE"', '"EXPORTED"'),
    "missing": ('"]\nflags = []\ndev', '"]\nflags = ["MISSING"]\ndev', '"MISSING"'),
    "moved": (VISIBLE, '["READ", "WRITE", "VISIBLE", "PVMOVE"]', '"PVMOVE"'),
    "hidden": (VISIBLE, '["READ", "WRITE"]', "part of another"),
    "spare": (f"{VISIBLE}\nflags = []", f'{VISIBLE}\nflags = ["POOL_METADATA_SPARE"]', "SPARE"),
    "shared": ("max_lv = 0", 'lock_type = "sanlock"', '"sanlock"'),
    "lvm1": ('"lvm2"', '"lvm1"', '"lvm1"'),
    "group-key": ("max_lv", "new", '"new"'),
    "group-section": ("physical_volumes {", "new {\n}\nphysical_volumes {", '"new"'),
    "disk-key": ("device =", "new =", '"new"'),
    "disk-section": ("device =", "new {\n}\ndevice =", '"new"'),
    "volume-key": ("creation_time", "new", '"new"'),
    "volume-section": ("segment2 {", "new {\n}\nsegment2 {", '"new"'),
    "segment-key": ("start_extent = 0", "start_extent = 0\nnew = 1", '"new"'),
    "top-key": ("description", "new", '"new"'),
    "gap": ("start_extent = 200", "start_extent = 201", "damaged"),
    "count": ("segment_count = 3", "segment_count = 4", "damaged"),
    "empty-volume": ("segment_count = 3", "segment_count = 3\n}\nempty {", "damaged"),
    "zero-segment": ("extent_count = 8", "extent_count = 0", "damaged"),
    "other-id": ('pv0 {\nid = "a', 'pv0 {\nid = "b', "damaged"),
    "short-id": ('pv0 {\nid = "a', 'pv0 {\nid = "', "damaged"),
    "version": ("version = 1", "version = 2", "damaged"),
    "no-contents": ("contents =", "description =", "damaged"),
    "other-contents": ('"Text Format', '"Binary Format', "Binary Format"),
    "two-groups": ("# Generated by a test", "vg1 {\n}\n", "damaged"),
    "no-brace": ("\n\n}\n# Generated", "\n\n# Generated", '"contents"'),
    "NUL": ("# Generated", "\0", "damaged"),
    "no-quote": ('"lvm2"', '"lvm2', 'has "lvm2?status = ["'),
    "last-quote": ("creation_time = 1796094473\n\n", 'description = "', "damaged"),
    "no-bracket": ("flags = []", "flags = [", "damaged"),
    "small-extents": ("extent_size = 256", "extent_size = 4", "multiple of 4096"),
    "no-extents": ("extent_size = 256", "extent_size = 0", "damaged"),
    "long": ("# Generated", "#" * (256 << 10) + "\n# Generated", "more than 262144"),
}


@pytest.mark.parametrize("old, new, word", TEXTS.values(), ids=TEXTS.keys())
def test_text(old, new, word, contents, tmp_path):
    no_map(make(tmp_path / "image", contents, change=(old, new)), word)


def seal_area(image, offset, value):
    """Changes the header of the metadata, and makes its checksum right."""
    poke(image, AREA + offset, value)
    with open(image, "rb") as f:
        f.seek(AREA + 4)
        poke(image, AREA, struct.pack("<I", crc(f.read(508))))


POKED = {
    "label": (lambda i: poke(i, 1023, b"\1"), "label is damaged"),
    "label-type": (lambda i: poke(i, 512 + 27, b"1"), "label is damaged"),
    "two-labels": (lambda i: poke(i, 1536, b"LABELONE"), "more than one label"),
    "btrfs-too": (lambda i: poke(i, 0x10040, b"_BHRfS_M"), "signatures"),
    "area": (lambda i: poke(i, AREA + 100, b"\1"), "damaged"),
    "area-version": (lambda i: seal_area(i, 20, b"\2"), "damaged"),
    "area-elsewhere": (lambda i: seal_area(i, 24, b"\0\1"), "damaged"),
    "area-length": (lambda i: seal_area(i, 34, b"\1"), "damaged"),
    "no-group": (lambda i: seal_area(i, 40, bytes(24)), "no volume group"),
    "text-in-header": (lambda i: seal_area(i, 40, b"\xff\1"), "damaged"),
    "text-past-end": (lambda i: seal_area(i, 40, b"\0\0\x10"), "damaged"),
    "third": (lambda i: seal_area(i, 88, b"\1"), "damaged"),
    "text": (lambda i: poke(i, 2 * AREA + 900, b"~"), "damaged"),
    "cut": (cut, "larger"),
}


@pytest.mark.parametrize("change, word", POKED.values(), ids=POKED.keys())
def test_poked(change, word, contents, tmp_path):
    refused(make(tmp_path / "sample", contents), change, word, tmp_path)


def many(n, per_volume):
    """Volumes of one extent each, or of several segments that are not adjacent."""
    return {f"v{i}": [(2 * (i * per_volume + k), 1) for k in range(per_volume)] for i in range(n)}


@pytest.mark.parametrize("n, per_volume, word", [(128, 4, None), (129, 1, "more than 128")])
def test_many_volumes(n, per_volume, word, tmp_path):
    image = blank(tmp_path / "image", 160 * MIB)
    Physical(160 * MIB, many(n, per_volume)).write(image)
    if word is not None:
        no_map(image, word)
    else:  # what is in them is not known, and so they are used
        assert Map(image).unused == (159 * 8 - n * per_volume) * EXTENT


# ---- One of the volumes has no map ---------------------------------------------------------------


def test_dirty_volume(contents, tmp_path):
    """All of it is used, the others are as before, and the reason is told."""
    image = make(tmp_path / "image", contents)
    clean = Map(image)
    (tmp_path / "root").write_bytes(contents["root"])
    tool("debugfs", "-w", "-R", "feature needs_recovery", tmp_path / "root")
    write_volume(image, VOLUMES["root"], (tmp_path / "root").read_bytes())
    found = Map(image)
    assert found.reason is None
    assert found.remark.startswith('all of its volume "root" (ext4) is copied: it was not unm')
    assert '; all of its volume "swap" (Linux swap) is copied: a Linux that was' in found.remark
    root = {at + k for name in ("root", "swap") for at, n in VOLUMES[name] for k in range(n)}
    lost = 0
    for offset, length in clean.extents:
        for page in range(offset // 4096, (offset + length) // 4096):
            lost += (page * 4096 - START) // EXTENT in root
    assert found.unused == clean.unused - lost * 4096
    poke(image, START + 200 * EXTENT, b"LUKS\xba\xbe\0\2")
    assert '; all of its volume "home-1" (LUKS) is copied: LUKS encrypts' in Map(image).remark


def test_hibernated_volume(contents, tmp_path):
    """What continues there has the tables of all other volumes in its memory."""
    image = make(tmp_path / "image", contents)
    poke(image, START + 150 * EXTENT + 4086, b"S1SUSPEND\0")
    no_map(image, 'its volume "swap" (Linux swap): Linux is hibernated: start it')


def test_lvm_in_volume(contents, tmp_path):
    image = make(tmp_path / "image", contents)
    inner = blank(tmp_path / "inner", 200 * EXTENT)
    Physical(200 * EXTENT, {"a": [(0, 1)]}).write(inner)
    assert Map(inner).reason is None
    write_volume(image, VOLUMES["home-1"], inner.read_bytes())
    assert '"home-1" (LVM) is copied: volumes inside volumes' in Map(image).remark


def test_disk(contents, tmp_path):
    """A disk with such a partition: what is listed, planned, said and copied."""
    make(tmp_path / "pv", contents)
    (tmp_path / "root").write_bytes(contents["root"])
    tool("debugfs", "-w", "-R", "ssv state 2", tmp_path / "root")
    write_volume(tmp_path / "pv", VOLUMES["root"], (tmp_path / "root").read_bytes())
    disk = blank(tmp_path / "disk.img", 170 * MIB)
    tool("sgdisk", f"-n1:2048:{2048 + SIZE // 512 - 1}", "-t1:8e00", disk)
    with open(disk, "r+b") as f:
        f.seek(MIB)
        f.write((tmp_path / "pv").read_bytes())
    disks = "disk.img,serial=LVM"
    assert 'LVM "vg0"' in efi_img(tmp_path, "list", disks=disks).out
    words = "capture", "serial=LVM", "x.raw"
    plan = efi_img(tmp_path, *words, "--dry-run", disks=disks)
    assert '; all of its volume "root" (ext4) is copied: ' in plan.out, plan.out
    result = efi_img(tmp_path, *words, disks=disks)
    assert result.code == 0, result.err
    lines = [line for line in result.err.splitlines() if "is copied" in line]
    assert len(lines) == 1, result.err
    assert 'serial=LVM: partition 1: LVM: all of its volume "root" (ext4) is copied' in lines[0]
    (tmp_path / "pv").write_bytes((tmp_path / "x.raw").read_bytes()[MIB : MIB + SIZE])
    for name in ("root", "raw"):
        copy = read_volume(tmp_path / "pv", VOLUMES[name])
        assert copy == (tmp_path / "root").read_bytes() if name == "root" else contents[name]
    (tmp_path / "home").write_bytes(read_volume(tmp_path / "pv", VOLUMES["home-1"]))
    tool("fsck.vfat", "-n", tmp_path / "home")
    assert read_volume(tmp_path / "pv", [(1100, 10)]) == bytes(10 * EXTENT)


def test_listed(contents, tmp_path):
    """The volumes are below the partition, or below the disk that has no table."""
    long = "a" * 127
    volumes = dict(VOLUMES, **{long: [(1100, 1)]})
    image = blank(tmp_path / "pv.img", SIZE)
    Physical(SIZE, volumes).write(image)
    (tmp_path / "root").write_bytes(contents["root"])
    tool("debugfs", "-w", "-R", "ssv state 2", tmp_path / "root")
    tool("tune2fs", "-L", "system", tmp_path / "root")
    write_volume(image, VOLUMES["root"], (tmp_path / "root").read_bytes())
    write_volume(image, VOLUMES["home-1"], contents["home-1"])
    blank(tmp_path / "disk.img", 170 * MIB)
    tool("sgdisk", f"-n1:2048:{2048 + SIZE // 512 - 1}", "-t1:8e00", tmp_path / "disk.img")
    with open(tmp_path / "disk.img", "r+b") as f:
        f.seek(MIB)
        f.write(image.read_bytes())
    disks = "pv.img,serial=PV:disk.img,serial=LVM"
    text = efi_img(tmp_path, "list", disks=disks).out
    rows = r"""
                   64 MiB    root                ext4 "system", \d+(\.\d+)? MiB used
  ! root \(ext4\): it has errors: run e2fsck -f
                   25 MiB    home-1              FAT16
                    5 MiB    swap
                    1 MiB    raw
                  128 KiB    aaaaaaaaaaaaaaa\.\.\.
"""
    assert len(re.findall(r'LVM "vg0"' + rows, text)) == 2, text
    assert all(len(line) < 80 for line in text.splitlines()), text
    found = json.loads(efi_img(tmp_path, "list", "--output=json", disks=disks).out)
    jsonschema.validate(found, SCHEMA)
    of_disk, of_partition = found[0]["filesystem"], found[1]["partitions"][0]["filesystem"]
    assert of_disk["volumes"] == of_partition["volumes"]
    sizes = {name: sum(n for _, n in parts) * EXTENT for name, parts in volumes.items()}
    assert {v["name"]: v["size"] for v in of_disk["volumes"]} == sizes
    first, second, third, *_ = (v["filesystem"] for v in of_disk["volumes"])
    assert (first["type"], first["label"]) == ("ext4", "system")
    assert first["note"].startswith("it has errors") and second["note"] == "" and third is None
    Physical(SIZE, volumes, change=('"READ", "WRITE", "VISIBLE"', '"PVMOVE"')).write(image)
    found = json.loads(efi_img(tmp_path, "list", "--output=json", disks=disks).out)
    assert "volumes" not in found[0]["filesystem"] and "PVMOVE" in found[0]["filesystem"]["note"]


# ---- What LVM writes itself ----------------------------------------------------------------------

CONFIG = """
devices {{ dir="{0}/dev" scan=["{0}/dev"] use_devicesfile=0 obtain_device_list_from_udev=0
external_device_info_source="none" multipath_component_detection=0 md_component_detection=0
scan_lvs=0 }}
global {{ activation=0 use_lvmpolld=0 use_lvmlockd=0 locking_dir="{0}/lock" }}
activation {{ udev_sync=0 udev_rules=0 monitoring=0 }}
backup {{ backup=0 archive=0 }}
"""


@pytest.fixture
def loop(tmp_path):
    """A function that runs LVM's tools on an image, without device-mapper: for root alone."""
    image = blank(tmp_path / "image", 64 * MIB)
    try:
        device = tool("losetup", "-f", "--show", image).strip()
    except AssertionError:
        pytest.skip("a loop device is for root")
    try:
        (tmp_path / "dev").mkdir()
        os.mknod(tmp_path / "dev" / "pv", 0o600 | stat.S_IFBLK, os.stat(device).st_rdev)
        (tmp_path / "lvm.conf").write_text(CONFIG.format(tmp_path))
        environment = dict(ENVIRONMENT, LVM_SYSTEM_DIR=str(tmp_path))

        def run(*words):
            subprocess.run(words, env=environment, check=True, capture_output=True)

        yield run, image, tmp_path / "dev" / "pv"
    finally:
        tool("losetup", "-d", device)


def test_tools(loop):
    run, image, device = loop
    run("pvcreate", "--metadatacopies", "2", device)
    no_map(image, "no volume group")
    run("vgcreate", "vg0", device)
    assert Map(image).unused == 60 * MIB  # in extents of 4 MiB
    run("lvcreate", "-an", "-Zn", "-Wn", "-L", "12M", "-n", "a", "vg0")
    run("lvcreate", "-an", "-Zn", "-Wn", "-L", "8M", "-n", "b", "vg0")
    run("lvextend", "-L", "+8M", "vg0/a")
    assert Map(image).unused == 32 * MIB
    run("lvremove", "-y", "vg0/b")
    assert Map(image).unused == 40 * MIB
    run("vgexport", "vg0")
    no_map(image, '"EXPORTED"')
