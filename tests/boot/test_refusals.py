# SPDX-License-Identifier: BSD-2-Clause
"""
What bad input gets: a clear error, exit code 1, nothing lost, no half-made file left. All in
one boot from the shell.
"""

import hashlib
import json
import struct
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import GIB, KIB, MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

# name: (command, words that the error has to hold)
REFUSED = {
    # an existing file
    "exists": (r"efi-img create -f raw keep.bin 1M", ["keep.bin", "--force"]),
    "exists-qcow2": (r"efi-img create -f qcow2 KEEP.BIN 1G", ["--force"]),
    "exists-directory": (r"efi-img create -f raw --force dir 1M", ["dir"]),
    "exists-protected": (r"efi-img create -f raw --force locked.bin 1M", ["locked.bin"]),
    "own-backing": (
        r"efi-img create -f qcow2 --force -b base.qcow2 -F qcow2 base.qcow2",
        ["base.qcow2"],
    ),
    "data-exists": (r"efi-img create -f qcow2 -o data_file=keep.bin new.qcow2 1M", ["keep.bin"]),
    # no room
    "large-raw": (r"efi-img create -f raw %small%\big.raw 64M", ["free"]),
    "large-preallocation": (
        r"efi-img create -f qcow2 -o preallocation=full %small%\big.qcow2 64M",
        ["free"],
    ),
    "large-falloc": (
        r"efi-img create -f qcow2 -o preallocation=falloc %small%\big.qcow2 64M",
        ["free"],
    ),
    "large-force": (r"efi-img create -f raw --force %small%\kept.bin 64M", ["free"]),
    "large-data": (
        r"efi-img create -f qcow2 -o data_file=store.raw,preallocation=full %small%\big.qcow2 64M",
        ["free"],
    ),
    "4-gib": (r"efi-img create -f raw %large%\big.raw 4G", ["4294967295"]),
    "5-gib": (
        r"efi-img create -f qcow2 -o preallocation=full %large%\big.qcow2 5G",
        ["4294967295"],
    ),
    "full": (r"efi-img create -f qcow2 %full%\x.qcow2 1G", []),
    "fills-up": (r"efi-img create -f raw %liar%\x.raw 30M", []),
    "crowded-root": (r"efi-img create -f raw %crowded%\x.raw 1k", []),
    # no such place
    "no-directory": (r"efi-img create -f raw nowhere\x.raw 1M", ["nowhere"]),
    "no-volume": (r"efi-img create -f raw fs99:\x.raw 1M", ["fs99:"]),
    "no-volume-info": (r"efi-img info fs99:\x.raw", ["fs99:"]),
    "file-as-directory": (r"efi-img create -f raw keep.bin\x.raw 1M", ["keep.bin"]),
    "bad-name": (r'efi-img create -f raw "a<b.raw" 1M', ["a<b.raw"]),
    "bad-name-2": (r'efi-img create -f raw "a*b.raw" 1M', ["a*b.raw"]),
    "no-file": (r"efi-img info nothing.qcow2", ["nothing.qcow2"]),
    "directory": (r"efi-img info dir", ["dir"]),
    # a device where a file is wanted
    "disk": (r"efi-img create -f raw blk0: 1M", ["blk0:"]),
    "volume": (r"efi-img create -f qcow2 %small% 1M", []),
    "root": (r"efi-img create -f raw %small%\ 1M", []),
    # media
    "read-only": (r"efi-img create -f raw %sealed%\x.raw 1M", ["protected"]),
    "read-only-force": (r"efi-img create -f raw --force %sealed%\there.qcow2 1M", ["protected"]),
    "read-only-secretly": (r"efi-img create -f raw %secret%\x.raw 1M", []),
    "damaged-directory": (r"efi-img create -f raw %damaged%\broken\x.raw 1M", []),
    "damaged-file": (r"efi-img info -f qcow2 %damaged%\short.qcow2", ["short.qcow2"]),
    # images that are none
    "not-qcow2": (r"efi-img info -f qcow2 keep.bin", ["keep.bin"]),
    "cut": (r"efi-img info cut.qcow2", ["cut.qcow2"]),
    "future": (r"efi-img info future.qcow2", ["future.qcow2", "9"]),
    "no-backing": (r"efi-img create -f qcow2 -b missing.raw -F raw top.qcow2", ["missing.raw"]),
    # words
    "format": (r"efi-img create -f qcow9 x.img 1M", ["qcow9"]),
    "option": (r"efi-img create -f qcow2 -o color=red x.img 1M", ["color"]),
    "option-value": (r"efi-img create -f qcow2 -o cluster_size=3k x.img 1M", ["cluster_size", "3"]),
    "letter": (r"efi-img create -Z x.img 1M", ["Z"]),
    "long-option": (r"efi-img list --outptu=json", ["outptu"]),
    "suffix": (r"efi-img create x.img 12Q", ["12Q"]),
    "negative": (r"efi-img create -f raw -- x.img -5", ["-5"]),
    "no-size": (r"efi-img create x.img", ["size"]),
    "too-large-for-clusters": (r"efi-img create -f qcow2 -o cluster_size=512 x.img 1P", []),
    "too-large": (r"efi-img create -f raw x.img 9E", []),
    "no-name": (r"efi-img create", []),
    "command": (r"efi-img frobnicate", ["frobnicate"]),
    "too-many": (r"efi-img map keep.bin keep.bin", []),
}

# The volumes where everything is refused before the first write.
UNTOUCHED = ["full", "crowded", "sealed", "secret", "damaged"]


def volume(place, name, size, **options):
    return Volume(disks.make_disk(place / f"{name}.img", size)).format(**options)


def make_small(place):
    small = volume(place, "small", 16 * MIB, fat=16, cluster=2048)
    small.put(b"\x55" * MIB, "/kept.bin")
    return small


def make_full(place):
    """No cluster is free, and there is an entry left in the root directory."""
    full = volume(place, "full", 4 * MIB, fat=12, cluster=2048)
    full.put(b"", "/is-full")
    full.put(bytes(full.free()), "/filler.bin")
    return full


def make_liar(place):
    """Says that all of it is free, and 8 MiB are."""
    liar = volume(place, "liar", 48 * MIB, fat=32, cluster=512)
    liar.put(bytes(38 * MIB), "/filler.bin")
    liar.fake_free_clusters(80 * KIB)
    return liar


def make_crowded(place):
    """All entries of the root directory are in use."""
    crowded = volume(place, "crowded", 8 * MIB, fat=12, cluster=4096)
    crowded.put(b"", "/is-crowded")
    try:
        for first in range(0, 600, 50):
            disks.run("mcopy", "-i", crowded.drive, *empty_files(place, first), "::")
    except RuntimeError:
        pass  # that was the last entry
    return crowded


def empty_files(place, first):
    paths = [place / f"E{number}" for number in range(first, first + 50)]
    for path in paths:
        path.touch()
    return paths


def make_sealed(place):
    sealed = volume(place, "sealed", 64 * MIB, fat=16, cluster=4096)
    oracle.qemu_img("create", "-q", "-f", "qcow2", place / "there.qcow2", "3G")
    # With a snapshot, whose table lies behind the first clusters.
    oracle.qemu_img("snapshot", "-c", "one", place / "there.qcow2")
    sealed.put(place / "there.qcow2", "/there.qcow2")
    return sealed


def make_damaged(place):
    """A directory of several clusters and an image, for damage()."""
    damaged = volume(place, "damaged", 64 * MIB, fat=16, cluster=2048)
    damaged.mkdir("/broken")
    for number in range(60):
        damaged.put(b"", f"/broken/a long name for file number {number}")
    damaged.put(place / "there.qcow2", "/short.qcow2")
    return damaged


def damage(damaged):
    """
    After their first cluster, both go on in one that does not exist. (mtools does not touch
    such a volume any more.)
    """
    for name in ("BROKEN     ", "SHORT~1 QCO"):
        damage_chain(damaged, name)


def damage_chain(damaged, name):
    """FAT16: writes an impossible number to the FAT's entry for a file's first cluster."""
    with open(damaged.image, "r+b") as file:
        content = bytearray(file.read(1 * MIB))
        block, per_cluster, reserved, fats = struct.unpack_from("<HBHB", content, 11)
        fat_bytes = struct.unpack_from("<H", content, 22)[0] * block
        entry = content.index(name.encode(), reserved * block + fats * fat_bytes)
        cluster = struct.unpack_from("<H", content, entry + 26)[0]
        for copy in range(fats):
            struct.pack_into(
                "<H", content, reserved * block + copy * fat_bytes + 2 * cluster, 0xFFF0 - 0x10
            )
        file.seek(0)
        file.write(content)


def fill_stick(stick, place):
    stick.put(b"\xa5" * 300001, "/keep.bin")
    stick.put(b"\x5a" * 300001, "/locked.bin")
    disks.run("mattrib", "+r", "-i", stick.drive, "::/locked.bin")
    stick.mkdir("/dir")
    oracle.qemu_img("create", "-q", "-f", "qcow2", place / "base.qcow2", "8M")
    base = (place / "base.qcow2").read_bytes()
    stick.put(base, "/base.qcow2")
    stick.put(base[:50], "/cut.qcow2")
    stick.put(base[:4] + struct.pack(">I", 9) + base[8:], "/future.qcow2")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    fill_stick(stick, place)
    volumes = {
        "small": make_small(place),
        "large": volume(place, "large", 6 * GIB, fat=32, cluster=32 * KIB),
        "full": make_full(place),
        "liar": make_liar(place),
        "crowded": make_crowded(place),
        "sealed": make_sealed(place),
        "secret": volume(place, "secret", 8 * MIB, fat=12, cluster=4096),
        "damaged": make_damaged(place),
    }
    batch = Batch(stick, **volumes)
    steps = {name: batch.run(line) for name, (line, _) in REFUSED.items()}
    sealed_info = batch.run(r"efi-img info --output=json %sealed%\there.qcow2")
    after = batch.run(r"efi-img create -f qcow2 %small%\fine.qcow2 1T")
    largest = batch.run(r"efi-img create -q -f raw %large%\largest.raw 4294966784")
    batch.prepare()
    names = {name: v.names() for name, v in batch.volumes.items()}
    damage(volumes["damaged"])
    digests = {name: digest(volumes[name].image) for name in UNTOUCHED}

    # Of a read-only virtio-blk disk the firmware knows, of a read-only SCSI disk it does not: there
    # the write fails.
    buses = {
        "small": "nvme",
        "large": "virtio-blk",
        "full": "ahci",
        "liar": "ahci",
        "crowded": "usb",
        "sealed": "virtio-blk",
        "secret": "virtio-scsi",
        "damaged": "virtio-blk",
    }
    drives = [Drive("usb", stick.image)]
    drives += [
        Drive(bus, volumes[name].image, read_only=name in ("sealed", "secret"))
        for name, bus in buses.items()
    ]
    batch.boot(Machine(place / "machine", drives))
    return SimpleNamespace(
        steps=steps,
        sealed_info=sealed_info,
        after=after,
        largest=largest,
        volumes=volumes,
        stick=stick,
        names=names,
        digests=digests,
    )


@pytest.mark.parametrize("name", REFUSED)
def test_refused(made, name):
    step = made.steps[name]
    assert step.status == 1, f"{step.line}: exit {step.status}\n{step.out}{step.err}"
    assert step.err.startswith("efi-img: "), step.err
    missing = [word for word in REFUSED[name][1] if word not in step.err]
    assert not missing, f"{missing} not in: {step.err}"


def test_existing_files_are_unchanged(made):
    assert made.stick.get("/keep.bin") == b"\xa5" * 300001
    assert made.stick.get("/locked.bin") == b"\x5a" * 300001
    assert made.volumes["small"].get("/kept.bin") == b"\x55" * MIB


def test_nothing_is_left_on_the_stick(made):
    assert made.stick.names() == made.names["stick"]
    assert made.stick.fsck() == ""


@pytest.mark.parametrize("name", ["full", "liar", "crowded"])
def test_no_half_made_file_is_left(made, name):
    assert made.volumes[name].names() == made.names[name]


@pytest.mark.parametrize("name", UNTOUCHED)
def test_volume_is_unchanged(made, name):
    assert digest(made.volumes[name].image) == made.digests[name]


def test_full_volume_is_sound_again(made):
    """fsck may find the free count in FSInfo wrong, as it was, and nothing else."""
    found = [
        line
        for line in made.volumes["liar"].fsck().splitlines()
        if "lost" in line.lower() or "cluster chain" in line.lower()
    ]
    assert not found


def test_nothing_was_begun_where_it_cannot_fit(made):
    assert made.volumes["small"].names() == made.names["small"] + ["fine.qcow2"]
    assert made.volumes["large"].names() == ["is-large", "largest.raw"]
    assert made.volumes["small"].fsck() == ""


def test_the_largest_file_of_fat_can_be_made(made):
    """4 GiB - 1, in whole sectors."""
    assert (made.largest.status, made.largest.err, made.largest.out) == (0, "", "")
    large = made.volumes["large"]
    assert "4 294 966 784" in disks.run("mdir", "-i", large.drive, "::/largest.raw")
    # fsck.fat adds the length of its clusters up in 32 bits, and finds 0. Without the file, it has
    # to find all of them free.
    large.remove("/largest.raw")
    assert large.fsck() == ""


def test_an_image_on_a_read_only_disk_can_be_looked_at(made):
    assert (made.sealed_info.status, made.sealed_info.err) == (0, "")
    assert json.loads(made.sealed_info.out)["virtual-size"] == 3 * GIB


def test_what_fits_still_works_afterwards(made, place):
    assert (made.after.status, made.after.err) == (0, "")
    oracle.qemu_img("create", "-q", "-f", "qcow2", place / "fine.reference", "1T")
    oracle.check_same(
        made.volumes["small"].copy_out("/fine.qcow2", place / "fine.qcow2"),
        place / "fine.reference",
        "qcow2",
    )
