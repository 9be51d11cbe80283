# SPDX-License-Identifier: BSD-2-Clause
"""What is no image of a disk, on FAT in OVMF: named, refused, and restored only by who says so.

Findings trial A2 and conformance 2; the signatures are in unit/test_foreign.c.
"""

import gzip
import random
import zipfile
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB
from rig.machine import Drive, Machine
from rig.shell import Batch

REFUSED, SIZE = 12, 8 * MIB
FORMATS = {"locked.dmg": "dmg", "a.zip": "zip", "a.gz": "gzip"}


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    (place / "a.gz").write_bytes(gzip.compress(bytes(MIB)))
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        archive.writestr("disk.raw", bytes(MIB))
    # what is recognised by its last bytes alone
    (place / "locked.dmg").write_bytes(bytes(3 * MIB - 8) + b"cdsaencr")
    text = b"It was a dark and stormy night. " * 64
    iso = bytearray(random.Random(1).randbytes(MIB))
    iso[446:512], iso[0x8000:0x8007] = bytes(66), b"\x01CD001\x01"
    hybrid = bytearray(iso)
    hybrid[446:512] = bytes.fromhex("80010100830101014000000040000000") + bytes(48) + b"\x55\xaa"
    for name in FORMATS:
        stick.put(place / name, f"/{name}")
    for name, data in {"text.raw": text, "plain.iso": iso, "hybrid.iso": hybrid}.items():
        stick.put(bytes(data), f"/{name}")
    disk = disks.make_disk(place / "disk.img", SIZE)
    batch, steps = Batch(stick), {}
    for name in FORMATS:
        steps["info", name] = batch.run(f"efi-img.efi info --output=json {name}")
        steps["convert", name] = batch.run(f"efi-img.efi convert -O qcow2 {name} t.qcow2")
        steps["restore", name] = batch.run(f"efi-img.efi convert -n {name} serial=DISK")
    steps["text"] = batch.run("efi-img.efi convert -n text.raw serial=DISK")
    steps["dd"] = batch.run("efi-img.efi dd if=text.raw of=serial=DISK")
    for name in ("text.raw", "plain.iso", "hybrid.iso"):
        steps["plan", name] = batch.run(f"efi-img.efi convert -n --dry-run {name} serial=DISK")
    steps["hash"] = batch.run("efi-img.efi hash serial=DISK")
    steps["meant"] = batch.run("efi-img.efi convert -n --no-table text.raw serial=DISK")
    batch.boot(
        Machine(
            place / "machine", [Drive("usb", stick.image, "STICK"), Drive("ahci", disk, "DISK")]
        )
    )
    return SimpleNamespace(steps=steps, disk=disk, text=text, stick=stick)


@pytest.mark.parametrize("name", FORMATS)
def test_trial_a2_named_and_refused(made, name):
    info = made.steps["info", name]
    assert info.status == 0 and f'"format": "{FORMATS[name]}"' in info.out, info.out + info.err
    assert "virtual-size" not in info.out
    for what in ("convert", "restore"):
        refused = made.steps[what, name]
        assert refused.status == 1, refused.err
        assert "which efi-img does not read" in refused.err and "give -f raw" in refused.err


def test_trial_a2_a_text_is_no_disk(made):
    for what in ("text", "dd"):
        assert made.steps[what].status == REFUSED, made.steps[what].err
        assert "add --no-table" in made.steps[what].err


def test_plans(made):
    text, plain, hybrid = (
        made.steps["plan", name] for name in ("text.raw", "plain.iso", "hybrid.iso")
    )
    assert text.status == REFUSED and "probably not an image of a disk" in text.out
    assert plain.status == 0 and "not a hybrid one" in plain.out, plain.out + plain.err
    assert hybrid.status == 0 and "in it: " not in hybrid.out, hybrid.out + hybrid.err


def test_what_was_refused_is_not_written(made):
    """The disk was blank until somebody said --no-table."""
    blank = "2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74"
    assert made.steps["hash"].out.startswith(blank), made.steps["hash"].out
    assert made.steps["meant"].status == 0, made.steps["meant"].err
    assert made.disk.read_bytes() == made.text.ljust(SIZE, b"\0")
    assert "t.qcow2" not in made.stick.names()
