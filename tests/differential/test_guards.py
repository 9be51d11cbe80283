# SPDX-License-Identifier: BSD-2-Clause
"""
Everything that is to be refused before the first write to a disk, and what is not; the plan that
--dry-run prints of both.
"""

import os
import subprocess

import pytest

from images import MIB, make_outside, qemu_img
from oracle import Result
from target_disks import done, efi_img, files, make_disks

REFUSED, NO_SPACE, SECTOR_SIZE, BAD_INPUT = 12, 13, 16, 17


@pytest.fixture
def place(tmp_path):
    return make_disks(tmp_path)


GPT = "full.img,serial=FULL,model=Old:empty.img,serial=EMPTY"
GUARDS = {  # name: (code, what the error says, the disks, the words after "convert -n")
    "started-from": (
        REFUSED,
        "started from it",
        "empty.img,serial=E,started-from",
        ("image.qcow2", "serial=E"),
    ),
    "started-from-partition": (
        REFUSED,
        "started from it",
        "full.img,serial=F,started-from",
        ("image.qcow2", "serial=F:1", "--erase=F:1"),
    ),
    "current": (
        REFUSED,
        "current volume",
        "empty.img,serial=E,current",
        ("image.qcow2", "serial=E"),
    ),
    "current-erase": (
        REFUSED,
        "current volume",
        "full.img,serial=E,current",
        ("image.qcow2", "serial=E", "--erase=E"),
    ),
    "holds-source": (
        REFUSED,
        "the file image.qcow2 is on it",
        "large.img,serial=L,holds=image",
        ("image.qcow2", "serial=L", "--erase=L"),
    ),
    "holds-backing": (
        REFUSED,
        "the file base.qcow2 is on it",
        "large.img,serial=L,holds=base",
        ("over.qcow2", "serial=L", "--erase=L"),
    ),
    "holds-data": (
        REFUSED,
        "the file data is on it",
        "large.img,serial=L,holds=data",
        ("split.qcow2", "serial=L", "--erase=L"),
    ),
    "half-a-table": (REFUSED, "add --truncated", GPT, ("half.img", "serial=EMPTY")),
    "half-a-file-system": (REFUSED, "FAT12 of 5 MiB", GPT, ("fat.img", "serial=EMPTY")),
    "half-on-a-partition": (
        REFUSED,
        "add --truncated",
        GPT,
        ("fat2.img", "serial=FULL:2", "--erase=FULL:2"),
    ),
    "write-protected": (
        REFUSED,
        "write-protected",
        "empty.img,serial=E,read-only",
        ("image.qcow2", "serial=E"),
    ),
    "same-disk": (REFUSED, "what is read, blk0:", GPT, ("blk0:", "serial=FULL", "--erase=FULL")),
    "same-disk-by-path": (
        REFUSED,
        "what is read, path=full.img",
        GPT,
        ("path=full.img", "serial=FULL", "--erase=FULL"),
    ),
    "source-is-partition": (
        REFUSED,
        "what is read, serial=FULL:2",
        GPT,
        ("serial=FULL:2", "serial=FULL", "--erase=FULL"),
    ),
    "target-is-partition": (
        REFUSED,
        "what is read, serial=FULL",
        GPT,
        ("serial=FULL", "serial=FULL:2", "--erase=FULL:2"),
    ),
    "same-partition": (
        REFUSED,
        "what is read, path=full.img:2",
        GPT,
        ("path=full.img:2", "serial=FULL:2", "--erase=FULL:2"),
    ),
    "too-small": (NO_SPACE, "too small", "small.img,serial=S", ("image.qcow2", "serial=S")),
    "sectors-4096": (
        SECTOR_SIZE,
        "sectors of 512 bytes, and the target has sectors of 4096",
        "4k.img@4096,serial=K",
        ("full.img", "serial=K"),
    ),
    "sectors-512": (
        SECTOR_SIZE,
        "sectors of 4096 bytes, and the target has sectors of 512",
        "empty.img,serial=E",
        ("gpt4k.raw", "serial=E"),
    ),
    "table": (
        REFUSED,
        "it contains a GPT with 2 partitions; to overwrite it, add --erase=FULL",
        GPT,
        ("image.qcow2", "serial=FULL"),
    ),
    "table-by-map-name": (REFUSED, "add --erase=FULL", GPT, ("image.qcow2", "blk0:")),
    "wrong-word": (
        REFUSED,
        "--erase=EMPTY does not name this target",
        GPT,
        ("image.qcow2", "serial=FULL", "--erase=EMPTY"),
    ),
    "no-word": (REFUSED, "--erase= does not name", GPT, ("image.qcow2", "serial=FULL", "--erase=")),
    "wrong-word-for-nothing": (
        REFUSED,
        "--erase=FULL does not name",
        GPT,
        ("image.qcow2", "serial=EMPTY", "--erase=FULL"),
    ),
    "word-of-disk-for-partition": (
        REFUSED,
        "use --erase=FULL:2",
        GPT,
        ("part.raw", "serial=FULL:2", "--erase=FULL"),
    ),
    "partition-with-data": (
        REFUSED,
        "data of an unknown kind, perhaps encrypted; to overwrite it, add --erase=FULL:2",
        GPT,
        ("part.raw", "serial=FULL:2"),
    ),
    "image-on-disk": (REFUSED, "qcow2 image", "q.img,serial=Q", ("image.qcow2", "serial=Q")),
    "path-word": (REFUSED, "add --erase=large.img", "large.img", ("image.qcow2", "path=large.img")),
    "serial-of-two": (
        1,
        "2 disks or partitions match",
        "empty.img,serial=T:small.img,serial=T",
        ("image.qcow2", "serial=T"),
    ),
    "no-such-disk": (1, "no such disk", GPT, ("image.qcow2", "serial=X")),
    "no-such-source": (1, "no such disk", GPT, ("serial=X", "serial=EMPTY")),
    "into-image": (1, "leave out -n", GPT, ("-O", "qcow2", "image.qcow2", "serial=EMPTY")),
    "options": (
        1,
        "options -o and -B",
        GPT,
        ("-o", "preallocation=full", "image.qcow2", "serial=EMPTY"),
    ),
    "damaged-source": (BAD_INPUT, "", GPT, ("-f", "qcow2", "damaged.qcow2", "serial=EMPTY")),
}


def make_halves(place):
    """The first part of a disk with a GPT, and of file systems."""
    (place / "half.img").write_bytes((place / "full.img").read_bytes()[: 4 * MIB])
    for name, n_bytes in (("fat.img", 5 * MIB), ("fat2.img", 2 * MIB)):
        with open(place / name, "wb") as volume:
            volume.truncate(n_bytes)
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        subprocess.run(
            ["mkfs.fat", name], cwd=place, check=True, capture_output=True, env={"PATH": path}
        )
        os.truncate(place / name, MIB)


def writers(line):
    """The commands that write to a disk, with those words: all but convert have fewer options."""
    source, target = [word for word in line if not word.startswith("-")][-2:]
    disk = source.startswith(("serial=", "path=", "blk"))
    yield ["convert", "-n"]
    if not set(line) & {"-O", "-o"}:
        yield ["clone"] if disk else ["restore"]
        if source.endswith((".raw", ".img")) and not disk:
            yield ["write"]


@pytest.mark.parametrize("name", GUARDS)
@pytest.mark.parametrize("dry", [False, True])
def test_guard(place, name, dry):
    code, words, disks, line = GUARDS[name]
    qemu_img(place, "create", "-q", "-f", "qcow2", "base.qcow2", "1M")
    qemu_img(place, "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "over.qcow2")
    make_outside(place, "split.qcow2", "data", "1M")
    (place / "part.raw").write_bytes(b"part" * 128)
    (place / "gpt4k.raw").write_bytes(bytes(4096) + b"EFI PART" + bytes(8184))
    make_halves(place)
    (place / "damaged.qcow2").write_bytes((place / "image.qcow2").read_bytes()[:40] + b"\xff" * 80)
    (place / "q.img").write_bytes((place / "base.qcow2").read_bytes().ljust(8 * MIB, b"\0"))
    before = files(place)
    for command in writers(line):
        ours = efi_img(
            place, *command, *line, *(["--dry-run", "--output=json"] if dry else []), disks=disks
        )
        assert ours.code == code and words in ours.err, f"{command}: {ours.code}: {ours.err}"
        assert files(place) == before
        if dry and ours.out:
            plan = ours.json()
            assert plan["exit-code"] == code and words in plan["refused"]


@pytest.mark.parametrize(
    "line, disks",
    [
        (("part.raw", "serial=F:2", "--erase=F:2"), "full.img,serial=F"),
        (("serial=F:1", "serial=F:2", "--erase=F:2"), "full.img,serial=F"),
        (
            ("image.qcow2", "serial=E"),
            "empty.img,serial=E:large.img,started-from,current,holds=image",
        ),
        (("image.qcow2", "path=large.img", "--erase=path=large.img"), "large.img"),
    ],
)
def test_not_refused(place, line, disks):
    """
    What is next to what is in use may be written to; --dry-run says the same, and writes nothing.
    """
    (place / "part.raw").write_bytes(b"part" * 128)
    before = files(place)
    partly = (
        line[0] == "serial=F:1"
    )  # a partition that the firmware has no device for is written through its disk
    plan = efi_img(place, "convert", "-n", *line, "--dry-run", "--output=json", disks=disks)
    assert files(place) == before
    if partly:
        assert plan.code == REFUSED
        return
    assert (
        plan.code == 0 and plan.json()["refused"] is None and plan.json()["exit-code"] == 0
    ), plan.err
    text = efi_img(place, "convert", "-n", *line, "--dry-run", disks=disks)
    assert (
        text.code == 0 and "Ready. Nothing has been written" in text.out and files(place) == before
    )
    done(efi_img(place, "convert", "-n", *line, disks=disks))


def test_exit_codes_between_files_are_qemu_imgs(place):
    for words in (
        ("convert", "-n", "image.qcow2", "small.img"),
        ("convert", "-f", "qcow2", "small.img", "t"),
    ):
        assert efi_img(place, *words).code == Result(["qemu-img", *words], place).code == 1


def test_help_has_the_exit_codes(place):
    ours = efi_img(place, "help", "exit-codes")
    assert ours.code == 0 and all(
        f"\n  {code:2}  " in ours.out for code in (0, 1, 10, 12, 13, 14, 15, 16, 17)
    )


def test_plan_of_a_new_image(place):
    """
    --dry-run of what goes into a file says where it goes and what speaks against it, and writes
    nothing.
    """
    before = files(place)
    plan = efi_img(place, "convert", "--dry-run", "-O", "qcow2", "serial=FULL", "t")
    assert (
        plan.code == 0
        and "source:  serial=FULL" in plan.out
        and "target:  t (a new file; " in plan.out
        and "a qcow2 image" in plan.out
    )
    json = efi_img(
        place, "convert", "--dry-run", "--output=json", "-O", "qcow2", "serial=FULL", "t"
    ).json()
    assert (
        json["target"]["filename"] == "t"
        and not json["target"]["exists"]
        and json["exit-code"] == 0
        and json["refused"] is None
    )
    refused = efi_img(place, "convert", "--dry-run", "-O", "qcow2", "serial=FULL", "image.qcow2")
    assert (
        refused.code != 0
        and "Refused: image.qcow2: the file exists already" in refused.out
        and "image.qcow2" in refused.err
    )
    plan = efi_img(place, "create", "--dry-run", "-f", "qcow2", "t", "1G")
    assert plan.code == 0 and "a qcow2 image of a disk of 1 GiB" in plan.out
    assert efi_img(place, "create", "--dry-run", "image.qcow2", "1G").code == 1
    assert efi_img(place, "create", "--dry-run", "--output=xml", "t", "1G").code == 1
    assert files(place) == before


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "--erase=X", "image.qcow2", "t"),
        ("convert", "-n", "--dry-run", "image.qcow2", "image.qcow2"),
        ("dd", "--erase=X", "if=image.qcow2", "of=t"),
        ("convert", "-n", "image.qcow2", "serial=EMPTY", "--output=xml"),
    ],
)
def test_misused(place, words):
    before = files(place)
    assert efi_img(place, *words).code == 1 and files(place) == before
