# SPDX-License-Identifier: BSD-2-Clause
"""
create and info from the UEFI shell, on FAT12, FAT16 and FAT32 volumes full of stale data, in a
machine with 128 MiB.
"""

import json
import re
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch


@dataclass
class Case:
    """An image to be created: its options as qemu-img takes them, and where."""

    form: str
    size: str
    options: str = ""
    volume: str = "stick"


CASES = {
    "plain": Case("qcow2", "50G"),
    "fraction": Case("qcow2", "1.5G"),
    "old": Case("qcow2", "1G", "compat=0.10"),
    "small-clusters": Case("qcow2", "64M", "cluster_size=512"),
    "large-clusters": Case("qcow2", "1T", "cluster_size=2M"),
    "one-bit": Case("qcow2", "4G", "refcount_bits=1"),
    "wide": Case("qcow2", "4G", "refcount_bits=64,lazy_refcounts=on"),
    "subclusters": Case("qcow2", "10G", "extended_l2=on,cluster_size=128k"),
    "zstd": Case("qcow2", "10G", "compression_type=zstd"),
    "metadata": Case("qcow2", "4M", "preallocation=metadata"),
    "full": Case("qcow2", "4M", "preallocation=full"),
    "falloc": Case("qcow2", "4000001", "preallocation=falloc"),
    "raw": Case("raw", "16M"),
    "odd": Case("raw", "1000001"),
    "tiny": Case("raw", "1"),
    "empty": Case("raw", "0"),
    "raw-full": Case("raw", "3M", "preallocation=full"),
    "fat12": Case("qcow2", "50G", volume="fat12"),
    "fat12-raw": Case("raw", "3M", volume="fat12"),
    "fat12-odd": Case("raw", "70001", volume="fat12"),
    "fat16": Case("qcow2", "50G", volume="fat16"),
    "fat16-raw": Case("raw", "10M", volume="fat16"),
    "fat16-full": Case("qcow2", "5M", "preallocation=full", volume="fat16"),
    "fat16-odd": Case("raw", "99999", volume="fat16"),
    "big-blocks": Case("qcow2", "50G", volume="blocks4k"),
    "big-blocks-raw": Case("raw", "20M", volume="blocks4k"),
    "big-blocks-odd": Case("raw", "12345678", volume="blocks4k"),
    "usb-big-blocks": Case("qcow2", "50G", volume="usb4k"),
    "usb-big-blocks-odd": Case("raw", "12345678", volume="usb4k"),
}

# What is typed for the file, where it is on the stick. The first are typed in \sub.
NAMES = {
    r"relative.raw": "/sub/relative.raw",
    r"..\up.raw": "/up.raw",
    r"deep/er/slash.raw": "/sub/deep/er/slash.raw",
    r"\root.raw": "/root.raw",
    r"/sub\mixed.raw": "/sub/mixed.raw",
    r'"with space.raw"': "/sub/with space.raw",
    r'"plus+ (1) & x.raw"': "/sub/plus+ (1) & x.raw",
    r"stick:": "/sub/of volume.raw",
    "Grüße-你好.raw": "/sub/Grüße-你好.raw",
    "l" + "o" * 190 + "ng.raw": "/sub/l" + "o" * 190 + "ng.raw",
}


def make_volumes(place):
    """Free space full of 0xAA everywhere: what shows through is stale."""

    def make(name, size, **options):
        return Volume(disks.make_disk(place / f"{name}.img", size)).format(fill=0xAA, **options)

    return {
        "fat12": make("fat12", 15 * MIB, fat=12, cluster=4096),
        "fat16": make("fat16", 64 * MIB, fat=16, cluster=4096),
        "blocks4k": make("blocks4k", 300 * MIB, fat=32, block=4096),
        "usb4k": make("usb4k", 300 * MIB, fat=32, block=4096),
    }


def add_names(batch):
    """Creates a file by each of the names; from another volume in the end."""
    steps = {}
    batch.do(r"cd \sub")
    for typed in NAMES:
        word = r'"%stick%of volume.raw"' if typed == "stick:" else typed
        steps[typed] = batch.run(f"efi-img create -q -f raw {word} 1M")
    batch.do("cd \\")
    return steps


def add_others(batch):
    """Backing files, data files, --force, and what is only printed."""
    lines = {
        "base": r"efi-img create -f qcow2 chain\base.qcow2 24M",
        "top": r"efi-img create -f qcow2 -b base.qcow2 -F qcow2 chain\top.qcow2",
        "unsafe": r"efi-img create -f qcow2 -u -b later.raw -F raw chain\unsafe.qcow2 3M",
        "chain": r"efi-img info --backing-chain --output=json chain\top.qcow2",
        "data": "efi-img create -f qcow2 -o data_file=store.raw,data_file_raw=on "
        r"chain\outer.qcow2 8M",
        "force": "efi-img create --force -f raw old.bin 1M",
        "force-again": "efi-img create --force -f qcow2 old2.bin 1M",
        "quiet": "efi-img create -q -f qcow2 quiet.qcow2 1G",
        "of-qemu": "efi-img info --output=json of-qemu.qcow2",
        "text": "efi-img info of-qemu.qcow2",
        "help": "efi-img help",
        "help-create": "efi-img help create",
        "dash-h": "efi-img create -h",
        "dash-dash-help": "efi-img list --help",
        "option-help": "efi-img create -f qcow2 -o help",
        "version": "efi-img version",
    }
    return {name: batch.run(line) for name, line in lines.items()}


@pytest.fixture(scope="module")
def made(place, make_stick):
    """Everything that is asked for, after one boot."""
    stick = make_stick(fill=0xAA)
    volumes = make_volumes(place)
    for directory in ("/sub", "/sub/deep", "/sub/deep/er", "/chain"):
        stick.mkdir(directory)
    for name in ("old.bin", "old2.bin"):
        stick.put(b"\xaa" * 3 * MIB, f"/{name}")
    oracle.qemu_img("create", "-q", "-f", "qcow2", place / "of-qemu.qcow2", "7G")
    oracle.qemu_img("snapshot", "-c", "first", place / "of-qemu.qcow2")
    stick.put(place / "of-qemu.qcow2", "/of-qemu.qcow2")

    batch = Batch(stick, **volumes)
    create, info = {}, {}
    for name, case in CASES.items():
        file = f"%{case.volume}%\\{name}.{case.form}"
        options = f"-o {case.options} " if case.options else ""
        create[name] = batch.run(f"efi-img create -f {case.form} {options}{file} {case.size}")
        info[name] = batch.run(f"efi-img info -f {case.form} --output=json {file}")
    names = add_names(batch)
    others = add_others(batch)
    batch.do("efi-img version > own.txt")
    batch.do("efi-img version >a own-ascii.txt")
    batch.do("%fat16%")
    names["elsewhere"] = batch.run("efi-img create -q -f raw elsewhere.raw 1M")

    drives = [
        Drive("usb", stick.image),
        Drive("nvme", volumes["fat12"].image),
        Drive("ahci", volumes["fat16"].image),
        Drive("virtio-blk", volumes["blocks4k"].image, block=4096),
        Drive("usb", volumes["usb4k"].image, block=4096),
    ]
    batch.boot(Machine(place / "machine", drives, memory=128))
    return SimpleNamespace(
        volumes=batch.volumes, create=create, info=info, names=names, others=others, place=place
    )


def succeeded(step):
    assert (step.status, step.err) == (0, ""), f"{step.line}: exit {step.status}\n{step.err}"


def copied(made, name, volume="stick"):
    """A file of a volume, copied to the host."""
    return made.volumes[volume].copy_out(name, made.place / name.rpartition("/")[2])


@pytest.mark.parametrize("name", CASES)
def test_image_is_what_qemu_img_makes(made, name):
    case = CASES[name]
    succeeded(made.create[name])
    image = copied(made, f"/{name}.{case.form}", case.volume)
    reference = made.place / f"{name}.reference"
    options = ["-o", case.options] if case.options else []
    said = oracle.qemu_img("create", "-f", case.form, *options, reference, case.size)
    assert re.sub("'.*'", "''", made.create[name].out) == re.sub("'.*'", "''", said)
    oracle.check_same(image, reference, case.form)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].form == "raw"])
def test_raw_image_is_zeros_to_the_last_byte(made, name):
    content = copied(made, f"/{name}.raw", CASES[name].volume).read_bytes()
    stale = re.search(b"[^\\0]", content)
    assert stale is None, f"byte {stale.start()} of {len(content)} is {stale[0]}"


@pytest.mark.parametrize("name", CASES)
def test_info_says_what_qemu_img_says(made, name):
    case = CASES[name]
    succeeded(made.info[name])
    image = copied(made, f"/{name}.{case.form}", case.volume)
    assert oracle.comparable(json.loads(made.info[name].out)) == oracle.comparable(
        oracle.info(image, case.form)
    )


@pytest.mark.parametrize("typed", NAMES)
def test_names_of_files(made, typed):
    succeeded(made.names[typed])
    assert made.volumes["stick"].get(NAMES[typed]) == bytes(MIB)


def test_name_relative_to_another_volume(made):
    succeeded(made.names["elsewhere"])
    assert made.volumes["fat16"].get("/elsewhere.raw") == bytes(MIB)


def test_backing_file(made):
    for name in ("base", "top", "unsafe", "chain"):
        succeeded(made.others[name])
    top, base = copied(made, "/chain/top.qcow2"), copied(made, "/chain/base.qcow2")
    oracle.check_image(top, "qcow2")
    answer = oracle.info(top)
    assert (
        answer["virtual-size"],
        answer["backing-filename"],
        answer["backing-filename-format"],
    ) == (24 * MIB, "base.qcow2", "qcow2")
    oracle.qemu_img("compare", "-f", "qcow2", "-F", "qcow2", top, base)
    chain = json.loads(made.others["chain"].out)
    assert [link["virtual-size"] for link in chain] == [24 * MIB, 24 * MIB]
    assert [link.get("backing-filename") for link in chain] == ["base.qcow2", None]


def test_unsafe_backing_file_need_not_be_there(made):
    answer = oracle.info(copied(made, "/chain/unsafe.qcow2"))
    assert (
        answer["virtual-size"],
        answer["backing-filename"],
        answer["backing-filename-format"],
    ) == (3 * MIB, "later.raw", "raw")


def test_data_file(made):
    succeeded(made.others["data"])
    outer, store = copied(made, "/chain/outer.qcow2"), copied(made, "/chain/store.raw")
    # qemu-img looks for a data file in its own directory.
    oracle.qemu_img("check", "-f", "qcow2", outer, cwd=made.place)
    assert store.read_bytes() == bytes(8 * MIB)
    assert '"data-file": "store.raw"' in oracle.qemu_img(
        "info", "--output=json", outer, cwd=made.place
    )
    oracle.qemu_img("compare", "-f", "qcow2", "-F", "raw", outer, store, cwd=made.place)


def test_force_replaces(made):
    succeeded(made.others["force"])
    assert made.volumes["stick"].get("/old.bin") == bytes(MIB)
    succeeded(made.others["force-again"])
    image = copied(made, "/old2.bin")
    oracle.check_image(image, "qcow2")
    assert image.stat().st_size < MIB, "the old file's bytes are still behind the new image"


def test_quiet_prints_nothing(made):
    succeeded(made.others["quiet"])
    assert made.others["quiet"].out == ""


def test_info_of_an_image_of_qemu_img(made):
    succeeded(made.others["of-qemu"])
    theirs = oracle.info(made.place / "of-qemu.qcow2")
    assert oracle.comparable(json.loads(made.others["of-qemu"].out)) == oracle.comparable(theirs)
    succeeded(made.others["text"])
    ours = made.others["text"].out.splitlines()
    theirs = oracle.qemu_img("info", made.place / "of-qemu.qcow2").splitlines()

    def apart(lines):
        return [line for line in lines if not line.startswith(("image:", "disk size:"))]

    assert apart(ours) == apart(theirs)


@pytest.mark.parametrize(
    "name, words",
    [
        ("help", ["list", "create", "info", "help", "version"]),
        ("help-create", ["create", "-f", "-o", "--force", "SIZE"]),
        ("dash-h", ["create", "-f", "-o", "--force", "SIZE"]),
        ("dash-dash-help", ["list", "--output"]),
        ("option-help", ["cluster_size", "preallocation", "refcount_bits"]),
        ("version", ["efi-img"]),
    ],
)
def test_help(made, name, words):
    succeeded(made.others[name])
    assert not [word for word in words if word not in made.others[name].out]
    if name != "option-help":  # qemu-img's own words
        assert max(len(line) for line in made.others[name].out.splitlines()) <= 80


def test_output_redirected_to_a_file(made):
    stick = made.volumes["stick"]
    text = made.others["version"].out
    assert stick.get("/own.txt") == text.replace("\n", "\r\n").encode("utf-16")
    assert stick.get("/own-ascii.txt") == text.replace("\n", "\r\n").encode("ascii")


@pytest.mark.parametrize("name", ["stick", "fat12", "fat16", "blocks4k", "usb4k"])
def test_file_systems_are_sound(made, name):
    assert made.volumes[name].fsck() == ""


def test_program_is_small(program):
    assert program.stat().st_size < disks.MIB
