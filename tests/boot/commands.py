# SPDX-License-Identifier: BSD-2-Clause
"""
Command lines that efi-img and qemu-img are given alike, the images that they work on, and what must
be the same afterwards: what is printed, the exit code, and the images. test_commands.py runs all of
them in OVMF, and tests/arch/test_commands_of_board.py on the other processors and firmwares.
"""

import json
import random
import re
import struct
import subprocess
from dataclasses import dataclass

import oracle
from rig.disks import KIB
from rig.qemu_img import as_7_2

CLUSTER = 64 * KIB
DISK_BYTES = 24 * CLUSTER + 512


@dataclass
class Case:
    """
    A command line, the images that it makes or changes (.raw, or else qcow2), and the exit code.
    """

    line: str
    changes: tuple = ()
    status: int = 0


CASES = {
    "amend-refcounts": Case("amend -o refcount_bits=64 base.qcow2", ("base.qcow2",)),
    "amend-version": Case("amend -o compat=0.10 over.qcow2", ("over.qcow2",)),
    "bitmap-add": Case("bitmap --add -g 64k base.qcow2 b0", ("base.qcow2",)),
    "check": Case("check over.qcow2"),
    "check-json": Case("check --output=json snaps.qcow2"),
    "check-packed": Case("check packed.qcow2"),
    "check-leaks": Case("check leaky.qcow2", status=3),
    "check-corrupt": Case("check --output=json corrupt.qcow2", status=2),
    "check-repair-leaks": Case("check -r leaks leaky.qcow2", ("leaky.qcow2",)),
    "check-repair-all": Case("check -q -r all corrupt.qcow2", ("corrupt.qcow2",)),
    "check-raw": Case("check -f raw disk.raw", status=63),
    "commit": Case("commit -p over.qcow2", ("over.qcow2", "base.qcow2")),
    "commit-keep": Case("commit -d -q top.qcow2", ("over.qcow2",)),
    "commit-base": Case("commit -b base.qcow2 top.qcow2", ("base.qcow2",)),
    "compare": Case("compare -p disk.raw packed.qcow2"),
    "compare-differ": Case("compare base.qcow2 over.qcow2", status=1),
    "compare-strict": Case("compare -s disk.raw packed.qcow2", status=1),
    "convert-chain": Case("convert -p -O raw top.qcow2 new.raw", ("new.raw",)),
    "convert-snapshot": Case("convert -l one -O qcow2 snaps.qcow2 new.qcow2", ("new.qcow2",)),
    "convert-several": Case("convert -O qcow2 base.qcow2 over.qcow2 new.qcow2", ("new.qcow2",)),
    "convert-existing": Case("convert -n -O qcow2 disk.raw other.qcow2", ("other.qcow2",)),
    "dd": Case("dd bs=64k skip=3 if=disk.raw of=new.raw", ("new.raw",)),
    "dd-qcow2": Case("dd -O qcow2 bs=1000 count=700 if=top.qcow2 of=new.qcow2", ("new.qcow2",)),
    "info": Case("info snaps.qcow2"),
    "info-chain": Case("info --backing-chain --output=json top.qcow2"),
    "map": Case("map over.qcow2"),
    "map-json": Case("map --output=json top.qcow2"),
    "measure": Case("measure -O qcow2 packed.qcow2"),
    "measure-json": Case("measure --output=json -O qcow2 -o cluster_size=4k --size 50G"),
    "rebase": Case("rebase -p -b base.qcow2 -F qcow2 top.qcow2", ("top.qcow2",)),
    "rebase-none": Case('rebase -b "" over.qcow2', ("over.qcow2",)),
    "rebase-unsafe": Case("rebase -u -b other.qcow2 -F qcow2 over.qcow2", ("over.qcow2",)),
    "resize-larger": Case("resize base.qcow2 +40M", ("base.qcow2",)),
    "resize-smaller": Case("resize --shrink base.qcow2 700k", ("base.qcow2",)),
    "resize-raw": Case("resize -f raw disk.raw +1M", ("disk.raw",)),
    "snapshot-list": Case("snapshot -l snaps.qcow2"),
    "snapshot-create": Case("snapshot -c three snaps.qcow2", ("snaps.qcow2",)),
    "snapshot-apply": Case("snapshot -a one snaps.qcow2", ("snaps.qcow2",)),
    "snapshot-delete": Case("snapshot -d one snaps.qcow2", ("snaps.qcow2",)),
}


# ---- images ----


def qemu_io(image, *commands):
    words = [word for command in commands for word in ("-c", command)]
    subprocess.run(["qemu-io", *words, image], check=True, stdout=subprocess.DEVNULL)


def set_last_refcount(image, refcount, add=0):
    """
    Gives the last cluster of an image another refcount, after adding so many clusters that
    nothing refers to.
    """
    content = bytearray(image.read_bytes())
    content += bytes(-len(content) % CLUSTER + add * CLUSTER)
    table = struct.unpack_from(">Q", content, 48)[0]
    block = struct.unpack_from(">Q", content, table)[0]
    struct.pack_into(">H", content, block + 2 * (len(content) // CLUSTER - 1), refcount)
    image.write_bytes(content)


def make_images(place):
    """One disk of text, noise and zeros in several ways, and images that build on it."""
    place.mkdir()
    dice = random.Random(11)
    pieces = [bytes(CLUSTER), dice.randbytes(CLUSTER), b"words of some text " * (CLUSTER // 19 + 1)]
    data = b"".join(dice.choice(pieces)[:CLUSTER] for _ in range(DISK_BYTES // CLUSTER + 1))[
        :DISK_BYTES
    ]
    (place / "disk.raw").write_bytes(data)
    oracle.qemu_img("convert", "-c", "-O", "qcow2", "disk.raw", "packed.qcow2", cwd=place)
    for name in ("base", "other", "snaps", "leaky", "corrupt"):
        oracle.qemu_img("convert", "-O", "qcow2", "disk.raw", f"{name}.qcow2", cwd=place)
    for name, backing in (("over", "base"), ("top", "over")):
        oracle.make_overlay(place, f"{name}.qcow2", f"{backing}.qcow2")
    qemu_io(place / "over.qcow2", "write -P 9 100k 300k", "write -z 512k 200k")
    qemu_io(place / "top.qcow2", "write -P 8 300k 70k", "write -P 7 1500k 5k")
    qemu_io(place / "other.qcow2", "write -P 6 700k 100k")
    for name in ("one", "two"):
        oracle.qemu_img("snapshot", "-c", name, "snaps.qcow2", cwd=place)
        qemu_io(place / "snaps.qcow2", f"write -P {len(name)} 200k 200k", "write -z 1M 100k")
    set_last_refcount(place / "leaky.qcow2", 1, add=1)
    set_last_refcount(place / "corrupt.qcow2", 0)
    return place


# ---- both sides ----


def run_theirs(case, directory):
    """Gives the line to qemu-img: what it printed, in the words of 7.2, and its exit code."""
    line = "exec qemu-img " + case.line
    done = subprocess.run(
        line,
        shell=True,
        cwd=directory,
        capture_output=True,
        text=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )
    out = as_7_2(case.line.split(), done.stdout)
    return out.replace("\r", "\n"), done.returncode


# ---- judgement ----

PROGRESS = re.compile(r" {4}\((\d+\.\d\d)/100%\)(?: \w+ing[^\r\n]*)?")


def comparable_output(text):
    """
    An output without what depends on the file system, and without how far it is,
    which is not in ours.
    """
    if not text.startswith(("{", "[")):
        return [
            line
            for line in text.splitlines()
            if line and not line.startswith("disk size:") and not PROGRESS.fullmatch(line)
        ]
    answer = json.loads(text)
    for link in answer if isinstance(answer, list) else [answer]:
        link.pop("actual-size", None)
    return answer


def without_dates(answer):
    """An answer of info without the time at which its snapshots were made."""
    for snapshot in answer.get("snapshots", []):
        del snapshot["date-sec"], snapshot["date-nsec"]
    return oracle.comparable(answer)


def judge(ours, theirs):
    form = "raw" if ours.suffix == ".raw" else "qcow2"
    oracle.check_image(ours, form)
    assert without_dates(oracle.info(ours, form)) == without_dates(oracle.info(theirs, form))
    oracle.qemu_img("compare", "-f", form, "-F", form, ours, theirs)
