# SPDX-License-Identifier: BSD-2-Clause
"""
Nothing that is read can be lost: what one command reads and what it writes, under every name that
leads to the same file.

Each file that a command can read (an image, a part of a split one, an extent, a data file, a
backing file, its data file) meets each way in which a command writes (as target, data file, part,
manifest, map, journal, in place), each spelling of a name, with --force and without: all of it is
refused before the first write, and every byte of every file is as before. The cases that were
found by trial have names of their own.
"""

import hashlib
import itertools
import os
import random
import subprocess

import pytest

from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result

REFUSED = 12
TEN_KIB = 10240


def efi_img(place, *words, disks=None):
    if disks is None:
        return Result([EFI_IMG, *words], place)
    os.environ["EFI_IMG_DISKS"] = disks
    try:
        return Result([EFI_IMG, *words], place)
    finally:
        del os.environ["EFI_IMG_DISKS"]


def contents(place):
    """Every file by its name; of links, what they lead to."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


# What a source consists of: its name, and the role of each of its files.
SOURCES = {
    "plain.raw": {"plain.raw": "image"},
    "split": {"split": "image", "split.001": "part", "split.002": "part"},
    "many.vmdk": {"many.vmdk": "image", "many-s001.vmdk": "extent"},
    "data.qcow2": {"data.qcow2": "image", "data.store": "data file"},
    "over.qcow2": {
        "over.qcow2": "image",
        "middle.qcow2": "backing file",
        "base.qcow2": "backing of backing",
        "base.store": "data of backing",
    },
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    place = tmp_path_factory.mktemp("zoo")
    noise = random.Random(18)
    (place / "plain.raw").write_bytes(noise.randbytes(64 << 10))
    (place / "sub").mkdir()
    (place / "long.raw").write_bytes(noise.randbytes(5 * MIB // 2))
    assert efi_img(place, "convert", "--split=1M", "long.raw", "split").code == 0
    (place / "long.raw").unlink()
    vmdk = ("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse")
    qemu_img(place, *vmdk, "plain.raw", "many.vmdk")
    qemu_img(
        place,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "data_file=data.store,cluster_size=4k",
        "data.qcow2",
        "256k",
    )
    qemu_io(place, "data.qcow2", "write -P 1 0 64k")
    qemu_img(
        place,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "data_file=base.store,cluster_size=4k",
        "base.qcow2",
        "256k",
    )
    qemu_io(place, "base.qcow2", "write -P 2 0 64k")
    qemu_img(
        place, "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "middle.qcow2"
    )
    qemu_img(
        place, "create", "-q", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", "over.qcow2"
    )
    # An existing target with a data file, whose name the cases put into its header.
    qemu_img(
        place, "create", "-q", "-f", "qcow2", "-o", "data_file=there.store", "there.qcow2", "4M"
    )
    return place


ALIASES = {
    "same": lambda place, name: name,
    "dot": lambda place, name: f"./{name}",
    "up": lambda place, name: f"sub/../{name}",
    "absolute": lambda place, name: str(place / name),
    "hard link": lambda place, name: link(place, name, os.link),
    "symbolic link": lambda place, name: link(place, name, os.symlink),
}


def link(place, name, how):
    path = place / f"alias-{name}"
    if not path.exists():
        how(place / name if how is os.link else name, path)
    return path.name


def into_header(place, name):
    """Gives there.qcow2 a data file of that name."""
    done = Result(
        ["qemu-img", "amend", "-f", "qcow2", "-o", f"data_file={name}", "there.qcow2"], place
    )
    assert done.code == 0, done.err
    return "there.qcow2"


# How a command writes to the name `x`, while it reads `source`. None: there is no such command
# line.
WRITERS = {
    "target": lambda place, source, x, force: ["convert", *force, "-O", "qcow2", source, x],
    "raw target": lambda place, source, x, force: ["convert", *force, source, x],
    "compressed target": lambda place, source, x, force: [
        "convert",
        *force,
        "-c",
        "-O",
        "qcow2",
        source,
        x,
    ],
    "output of dd": lambda place, source, x, force: ["dd", *force, f"if={source}", f"of={x}"],
    "data file": lambda place, source, x, force: [
        "convert",
        *force,
        "-O",
        "qcow2",
        "-o",
        f"data_file={x}",
        source,
        "new",
    ],
    "manifest": lambda place, source, x, force: [
        "convert",
        *force,
        f"--manifest={x}",
        source,
        "new",
    ],
    "map": lambda place, source, x, force: ["convert", *force, f"--map={x}", source, "new"],
    "new image": lambda place, source, x, force: [
        "create",
        *force,
        "-f",
        "qcow2",
        "-b",
        source,
        "-F",
        kind(source),
        x,
    ],
    "data file of a new image": lambda place, source, x, force: [
        "create",
        *force,
        "-f",
        "qcow2",
        "-b",
        source,
        "-F",
        kind(source),
        "-o",
        f"data_file={x}",
        "new",
    ],
    "existing target": lambda place, source, x, force: None
    if force
    else ["convert", "-n", "-O", kind(x), source, x],
    "data file of the target": lambda place, source, x, force: None
    if force
    else ["convert", "-n", "-O", "qcow2", source, into_header(place, x)],
}


def kind(name):
    suffix = os.path.splitext(name)[1]
    return suffix[1:] if suffix in (".qcow2", ".vmdk") else "raw"


def pairs():
    for source, files in SOURCES.items():
        for name in files:
            yield source, name


@pytest.mark.parametrize("writer", WRITERS)
def test_matrix(zoo, writer):
    n = 0
    for (source, name), (alias, spell), force in itertools.product(
        pairs(), ALIASES.items(), ((), ("--force",))
    ):
        words = WRITERS[writer](zoo, source, spell(zoo, name), force)
        if words is None:
            continue
        before = contents(zoo)
        done = efi_img(zoo, *words)
        assert done.code == 1, (source, name, alias, force, done.err)
        assert contents(zoo) == before, (source, name, alias, force, done.err)
        if force:  # without it, that the file exists may be said first
            assert "is the same file as" in done.err or "not a qcow2" in done.err, (
                source,
                name,
                alias,
                done.err,
            )
        n += 1
    print(f"{writer}: {n} refused")
    assert n >= len(list(pairs())) * len(ALIASES)


def test_matrix_of_parts(zoo):
    """A split target takes all names of parts, whatever file has one of them."""
    for (source, name), number, force in itertools.product(
        pairs(), (1, 2, 7, 999), ((), ("--force",))
    ):
        part = zoo / f"parts.{number:03}"
        os.link(zoo / name, part)
        before = contents(zoo)
        done = efi_img(zoo, "convert", *force, "--split=1M", source, "parts")
        assert done.code == 1 and contents(zoo) == before, (source, name, number, force, done.err)
        part.unlink()


def test_words_for_what_is_read(zoo):
    """A file that an image names is called by what it is to a person, with the image."""
    for source, file, words in (
        ("many.vmdk", "many-s001.vmdk", "extent of many.vmdk"),
        ("data.qcow2", "data.store", "data file of data.qcow2"),
        ("over.qcow2", "base.store", "data file of base.qcow2"),
        ("over.qcow2", "base.qcow2", "backing file"),
        ("split", "split.001", "part"),
    ):
        done = efi_img(zoo, "convert", "--force", source, file)
        assert f"is the same file as {file} ({words}), which is read" in done.err, done.err
        plan = efi_img(zoo, "convert", "--dry-run", source, "new")
        assert f"read   {file} ({words})\n" in plan.out, plan.out
    plan = efi_img(
        zoo, "create", "--dry-run", "-f", "vmdk", "-o", "subformat=monolithicFlat", "new.vmdk", "1M"
    )
    assert "create new-flat.vmdk (extent of new.vmdk)\n" in plan.out, plan.out


def test_matrix_of_what_is_written(tmp_path):
    """
    Two files that one command writes are never the same, before either is there, and when both are.
    """
    (tmp_path / "s.raw").write_bytes(random.Random(1).randbytes(TEN_KIB))
    (tmp_path / "sub").mkdir()
    made = {
        "target": lambda x: ([], x),
        "data file": lambda x: (["-O", "qcow2", "-o", f"data_file={x}"], None),
        "manifest": lambda x: ([f"--manifest={x}"], None),
        "map": lambda x: ([f"--map={x}"], None),
    }
    n = 0
    for (a, b), (first, second), force in itertools.product(
        itertools.combinations(made, 2),
        (("x", "x"), ("x", "./x"), ("sub/../x", "x")),
        ((), ("--force",)),
    ):
        words, target = list(force), "new"
        for role, name in ((a, first), (b, second)):
            options, named = made[role](name)
            words += options
            target = named or target
        for there in (False, True):
            (tmp_path / "x").write_bytes(b"somebody's") if there else (tmp_path / "x").unlink(
                missing_ok=True
            )
            before = contents(tmp_path)
            done = efi_img(tmp_path, "convert", *words, "s.raw", target)
            assert done.code == 1 and contents(tmp_path) == before, (a, b, words, done.err)
            n += 1
    assert n == 72


def test_in_place(zoo):
    """Commands that change an image: what else it names is not itself."""
    os.link(zoo / "data.qcow2", zoo / "itself.store")
    (zoo / "self.qcow2").write_bytes((zoo / "data.qcow2").read_bytes())
    assert (
        Result(
            ["qemu-img", "amend", "-f", "qcow2", "-o", "data_file=self.link", "self.qcow2"], zoo
        ).code
        == 0
    )
    os.link(zoo / "self.qcow2", zoo / "self.link")
    for words in (
        ["bench", "-w", "-c", "1", "-s", "4k", "self.qcow2"],
        ["resize", "self.qcow2", "+1M"],
        ["commit", "self.qcow2"],
        ["bitmap", "--merge", "a", "-b", "./over.qcow2", "-F", "qcow2", "over.qcow2", "b"],
        ["rebase", "-b", "./over.qcow2", "-F", "qcow2", "over.qcow2"],
    ):
        before = contents(zoo)
        done = efi_img(zoo, *words)
        assert done.code == 1 and contents(zoo) == before, (words, done.err)
    for path in ("itself.store", "self.link", "self.qcow2"):
        (zoo / path).unlink()


# ---- what was found by trial, by the numbers of the review ----


@pytest.fixture
def place(tmp_path):
    (tmp_path / "orig.raw").write_bytes(random.Random(1).randbytes(3 * MIB))
    return tmp_path


def refused(place, *words, disks=None, code=1):
    before = contents(place)
    done = efi_img(place, *words, disks=disks)
    assert done.code == code and contents(place) == before, (done.code, done.err)
    return done.err


def test_adversary_1_data_file_is_the_source(place):
    refused(
        place,
        "convert",
        "--force",
        "-O",
        "qcow2",
        "-o",
        "data_file=orig.raw",
        "orig.raw",
        "out.qcow2",
    )


def test_adversary_1_target_is_the_data_file(place):
    qemu_img(
        place,
        "create",
        "-q",
        "-f",
        "qcow2",
        "-o",
        "data_file=d.raw,data_file_raw=on",
        "s.qcow2",
        "3M",
    )
    refused(place, "convert", "--force", "s.qcow2", "d.raw")
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "s.qcow2", "-F", "qcow2", "o.qcow2")
    refused(place, "dd", "--force", "if=o.qcow2", "of=d.raw")


def test_adversary_1_manifest_is_the_source(place):
    refused(place, "convert", "--force", "--manifest=orig.raw", "orig.raw", "o.raw")


def test_adversary_1_source_is_called_like_a_part(place):
    (place / "orig.raw").rename(place / "x.001")
    refused(place, "convert", "--force", "--split=2M", "x.001", "x")
    refused(
        place,
        "create",
        "--force",
        "-f",
        "qcow2",
        "-b",
        "x.001",
        "-F",
        "raw",
        "--split=1M",
        "x",
        "3M",
    )


def test_adversary_1_target_is_a_part(place):
    assert efi_img(place, "convert", "--split=1M", "orig.raw", "y").code == 0
    refused(place, "convert", "--force", "-O", "qcow2", "y", "y.001")


def test_adversary_2_data_file_of_an_existing_target(place):
    (place / "x.raw").write_bytes(random.Random(2).randbytes(3 * MIB))
    keep = (place / "x.raw").read_bytes()
    qemu_img(place, "create", "-q", "-f", "qcow2", "-o", "data_file=x.raw", "t.qcow2", "6M")
    (place / "x.raw").write_bytes(keep)
    refused(place, "convert", "-n", "-O", "qcow2", "orig.raw", "x.raw", "t.qcow2")


def test_adversary_6_stale_part(place):
    (place / "x.002").write_bytes(b"somebody's")
    assert "x.002" in refused(
        place, "convert", "--split=1M", "serial=S", "x", disks="orig.raw,serial=S"
    )
    assert "x.002" in refused(place, "create", "--split=1M", "x", "3M")
    assert (
        efi_img(
            place, "convert", "--force", "--split=1M", "serial=S", "x", disks="orig.raw,serial=S"
        ).code
        == 0
    )
    whole = efi_img(place, "hash", "x", "orig.raw").out.split()
    assert whole[0] == whole[2] and efi_img(place, "info", "x").code == 0


def test_adversary_7_backing_file_further_down(place):
    (place / "vol").mkdir()
    (place / "vol" / "base.raw").write_bytes(bytes(MIB))
    with open(place / "t.img", "wb") as disk:
        disk.truncate(16 * MIB)
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "vol/base.raw", "-F", "raw", "over.qcow2")
    qemu_img(
        place, "create", "-q", "-f", "qcow2", "-o", "data_file=vol/store.raw", "stored.qcow2", "1M"
    )
    disks = "t.img,serial=T,holds=vol/"
    for backing, form in (
        ("vol/base.raw", "raw"),
        ("over.qcow2", "qcow2"),
        ("stored.qcow2", "qcow2"),
    ):
        said = refused(
            place,
            "convert",
            "-O",
            "qcow2",
            "-B",
            backing,
            "-F",
            form,
            "orig.raw",
            "serial=T",
            disks=disks,
            code=REFUSED,
        )
        assert "is on it" in said


def test_adversary_10_manifest_on_the_target(place):
    (place / "vol").mkdir()
    with open(place / "disk.img", "wb") as disk:
        disk.truncate(8 * MIB)
    for option in ("--manifest=vol/m.txt", "--map=vol/m.map"):
        said = refused(
            place,
            "convert",
            "-n",
            "--no-table",
            option,
            "orig.raw",
            "serial=T",
            disks="disk.img,serial=T,holds=vol/",
            code=REFUSED,
        )
        assert "is on it" in said


def test_adversary_13_manifest_in_another_directory(place):
    (place / "img").mkdir()
    assert efi_img(place, "convert", "--manifest=img/m.json", "orig.raw", "img/out.raw").code == 0
    assert efi_img(place, "convert", "--manifest=img/n.json", "orig.raw", "out.raw").code == 0
    for folder, manifest in (
        (place, "img/m.json"),
        (place / "img", "m.json"),
        (place.parent, f"{place}/img/m.json"),
        (place, "img/n.json"),
        (place / "img", "n.json"),
        (place.parent, f"{place}/img/n.json"),
    ):
        done = efi_img(folder, "hash", f"--check={manifest}")
        assert done.code == 0 and done.out.endswith("out.raw: OK\n"), (done.out, done.err)
    (place / "img" / "out.raw").write_bytes((place / "orig.raw").read_bytes() + bytes(512))
    done = efi_img(place, "hash", "--check=img/m.json")
    assert (done.code, done.out) == (1, "img/out.raw: FAILED\n")
    assert (
        efi_img(place, "hash", "--check=img/n.json").code == 0
    )  # not the file of that name beside the manifest


def test_adversary_14_manifest_over_what_was_made(place):
    refused(
        place,
        "convert",
        "--force",
        "-O",
        "qcow2",
        "-o",
        "data_file=dd.raw",
        "--manifest=dd.raw",
        "orig.raw",
        "o.qcow2",
    )
    refused(place, "convert", "--force", "--split=1M", "--manifest=o.raw.001", "orig.raw", "o.raw")


def test_adversary_15_too_many_parts(place):
    with open(place / "big", "wb") as disk:
        disk.truncate(2 << 30)
    said = refused(place, "convert", "--split=1M", "serial=S", "x", disks="big,serial=S", code=13)
    assert "more than 1000 files" in said
    refused(
        place, "convert", "--dry-run", "--split=1M", "serial=S", "x", disks="big,serial=S", code=13
    )
    refused(place, "create", "--split=1M", "x", "2G")


def test_adversary_16_image_that_is_its_data_file(place):
    qemu_img(place, "create", "-q", "-f", "qcow2", "-o", "data_file=d.raw", "self.qcow2", "4M")
    qemu_io(place, "self.qcow2", "write 0 2M")
    (place / "d.raw").unlink()
    os.link(place / "self.qcow2", place / "d.raw")
    refused(place, "bench", "-w", "-c", "1", "-s", "64k", "--pattern", "9", "self.qcow2")


def test_adversary_17_output_on_the_target(place):
    (place / "vol").mkdir()
    with open(place / "disk.img", "wb") as disk:
        disk.truncate(8 * MIB)
    with open(place / "vol" / "log.txt", "wb") as log:
        done = subprocess.run(
            [EFI_IMG, "convert", "-n", "--no-table", "orig.raw", "serial=T"],
            cwd=place,
            stdout=log,
            env={**os.environ, "EFI_IMG_DISKS": f"disk.img,serial=T,holds={place}/vol/"},
            stderr=subprocess.PIPE,
        )
    assert done.returncode == REFUSED and b"the output is redirected to log.txt" in done.stderr
    assert (place / "disk.img").read_bytes() == bytes(8 * MIB)


def test_adversary_5_dd_is_read_back(place):
    with open(place / "disk.img", "wb") as disk:
        disk.truncate(8 * MIB)
    disks = "disk.img,serial=T"
    assert (
        "verified"
        in efi_img(place, "dd", "--no-table", "if=orig.raw", "of=serial=T", disks=disks).out
    )
    assert "verified" in efi_img(place, "dd", "if=serial=T", "of=back.raw", disks=disks).out
    done = efi_img(place, "dd", "--no-verify", "if=serial=T", "of=again.raw", disks=disks)
    assert done.code == 0 and "not verified" in done.out


def test_dry_run_prints_the_set(place):
    done = efi_img(
        place,
        "convert",
        "--dry-run",
        "--output=json",
        "-O",
        "qcow2",
        "--manifest=m.json",
        "--split=1M",
        "serial=S",
        "x",
        disks="orig.raw,serial=S",
    )
    assert done.code == 0, done.err
    found = {
        (entry["name"], entry["role"], entry["use"], entry["parts"])
        for entry in done.json()["access"]
        if entry["role"] != "output"
    }
    assert found == {
        ("serial=S", "image", "read", False),
        ("x", "target", "create", True),
        ("m.json", "manifest", "create", False),
        ("x.resume", "journal", "create", False),
        ("x.resume.new", "journal", "create", False),
    }
    text = efi_img(
        place, "convert", "--dry-run", "-O", "qcow2", "serial=S", "x", disks="orig.raw,serial=S"
    ).out
    assert "touches: read   serial=S (image)\n" in text and "         create x (target)\n" in text
    assert sorted(path.name for path in place.iterdir()) == ["orig.raw"]
