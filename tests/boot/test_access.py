# SPDX-License-Identifier: BSD-2-Clause
"""
What a command reads is never what it writes, on FAT: each file under every name that leads to it
there.

The tenth of tests/differential/test_access.py that only firmware can show: names in another case,
short names, ".\\" and "..", and the volume before the name. All in one boot; then every byte of
every file is as before.
"""

import itertools
import random
import subprocess
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

PART_BYTES = 0xF6A48  # the mark of a split image (core/storage/split.h)

# What is read, and one of its files.
READ = [
    ("plain image of a disk.raw", "plain image of a disk.raw"),
    ("split", "split.001"),
    ("data.qcow2", "data.store"),
    ("over.qcow2", "base.qcow2"),
]

ALIASES = {
    "case": str.upper,
    "dot": lambda name: f".\\{name}",
    "up": lambda name: f"dir\\..\\{name}",
    "volume": lambda name: f"%stick%\\{name}",
    "short": lambda name: "PLAINI~1.RAW" if name.startswith("plain") else name.upper(),
}

WRITE = {
    "target": 'efi-img convert --force -O qcow2 "{source}" "{x}"',
    "output of dd": 'efi-img dd --force "if={source}" "of={x}"',
    "data file": 'efi-img convert --force -O qcow2 -o "data_file={x}" "{source}" new',
    "manifest": 'efi-img convert --force "--manifest={x}" "{source}" new',
    "map": 'efi-img convert "--map={x}" "{source}" new',
    "new image": 'efi-img create --force -f qcow2 -b "{source}" -F {format} "{x}"',
}


def make_files(place):
    noise = random.Random(18)
    (place / READ[0][0]).write_bytes(noise.randbytes(64 << 10))
    (place / "split").write_bytes(noise.randbytes(PART_BYTES))
    (place / "split.001").write_bytes(noise.randbytes(2048 - PART_BYTES % 512))
    for words in (
        ("-o", "data_file=data.store", "data.qcow2", "256k"),
        ("base.qcow2", "256k"),
        ("-b", "base.qcow2", "-F", "qcow2", "over.qcow2"),
    ):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], cwd=place, check=True)
    return [path.name for path in place.iterdir()]


@pytest.fixture(scope="module")
def ran(place, make_stick):
    stick = make_stick()
    files = place / "files"
    files.mkdir()
    names = make_files(files)
    for name in names:
        stick.put(files / name, f"/{name}")
    stick.mkdir("/dir")
    target = Volume(disks.make_disk(place / "target.img", 48 * MIB)).format(
        32, cluster=512, label="TARGET"
    )
    batch = Batch(stick, target=target)
    steps = {}
    for (source, name), (alias, spell), (role, line) in itertools.product(
        READ, ALIASES.items(), WRITE.items()
    ):
        form = "qcow2" if source.endswith(".qcow2") else "raw"
        steps[name, alias, role] = batch.run(line.format(source=source, x=spell(name), format=form))
    on_target = batch.run(
        r"efi-img convert -n --no-table --manifest=%target%\m.json split serial=T --erase=T"
    )
    batch.do(r"efi-img convert -n --no-table split serial=T --erase=T > %target%\log.txt")
    batch.do(r"echo %lasterror% > %stick%\redirected.txt")
    batch.prepare()
    batch.boot(
        Machine(
            place / "machine",
            [Drive("usb", stick.image, "STICK"), Drive("ahci", target.image, "T")],
        )
    )
    return SimpleNamespace(
        steps=steps, stick=stick, target=target, names=names, files=files, on_target=on_target
    )


def test_every_pair_is_refused(ran):
    assert len(ran.steps) == 120
    for key, step in ran.steps.items():
        assert step.status == 1, (key, step.line, step.out, step.err)
        assert "is the same file as" in step.err or key[2] == "map", (key, step.err)


def test_every_byte_is_as_before(ran):
    for name in ran.names:
        assert ran.stick.get(f"/{name}") == (ran.files / name).read_bytes(), name
    assert not {"new", "new.resume"} & {name.lower() for name in ran.stick.names()}


def test_adversary_10_manifest_on_the_target(ran):
    assert (
        ran.on_target.status == 12 and "is on it (manifest)" in ran.on_target.err
    ), ran.on_target.err


def test_adversary_17_output_on_the_target(ran):
    assert ran.stick.get("/redirected.txt").decode("utf-16").strip() == "0xC"
    assert ran.target.get("/is-target") == b""  # nothing was written over
