# SPDX-License-Identifier: BSD-2-Clause
"""
Disks as targets in the firmware: restore on every bus, clone, images directly on disks, and
what is refused. One boot.
"""

import json
import random
import re
import shutil
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest

import oracle
from rig import disks
from rig.disks import KIB, MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

SIZE = 24 * MIB
REFUSED, NO_SPACE, SECTOR_SIZE = 12, 13, 16

# The disks that are restored to: serial number, bus, sector size, what is on it before.
TARGETS = {
    "NVME": ("nvme", 512, None),
    "NVME4K": ("nvme", 4096, None),
    "SATA": ("ahci", 512, "fat"),
    "USB": ("usb", 512, "fat"),
    "USB4K": ("usb", 4096, None),
    "SCSI": ("virtio-scsi", 512, None),
    "VIRTIO": ("virtio-blk", 512, "gpt"),
    "VIRTIO4K": ("virtio-blk", 4096, "gpt4k"),
}
MOVED = (
    "NVME4K",
    "SATA",
    "SCSI",
)  # where the GPT is made to fit the larger disk; elsewhere every byte is as in the source


def whole_disk(path, block):
    """A disk with a GPT, a FAT volume with a file in it, and noise in a second partition."""
    image = disks.make_disk(path, SIZE)
    disks.write_gpt(
        image, [Partition(MIB, 8 * MIB), Partition(12 * MIB, 4 * MIB, disks.LINUX)], block
    )
    Volume(image, MIB, 8 * MIB).format(12, cluster=8 * KIB, block=block, label="INSIDE").put(
        b"restored" * 1000, "/file.txt"
    )
    with open(image, "r+b") as file:
        file.seek(12 * MIB)
        file.write(random.Random(block).randbytes(3 * MIB) + bytes(MIB))
    return image


def make_target(place, name):
    """A disk full of something else; returns its image and the name that it is called by."""
    _, block, before = TARGETS[name]
    image = disks.make_disk(place / f"{name}.img", SIZE + 8 * MIB)
    if before == "fat":
        Volume(image).format(16, cluster=2048, label=name, fill=0xAA).put(
            b"old" * 10000, "/old.txt"
        )
    elif before:
        with open(image, "r+b") as file:
            file.write(b"\xaa" * (SIZE + 8 * MIB))
        return (
            image,
            f"guid={disks.write_gpt(image, [Partition(MIB, 4 * MIB, disks.LINUX)], block)}",
        )
    return image, f"serial={name}"


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    work = Volume(disks.make_disk(place / "work.img", 160 * MIB)).format(
        32, cluster=512, label="WORK"
    )
    sources = {block: whole_disk(place / f"source{block}.img", block) for block in (512, 4096)}
    for block, image in sources.items():
        oracle.qemu_img("convert", "-c", "-O", "qcow2", image, place / f"image{block}.qcow2")
        work.put(place / f"image{block}.qcow2", f"/image{block}.qcow2")
    work.put(bytes(random.Random(9).randbytes(MIB)), "/part.raw")
    targets = {name: make_target(place, name) for name in TARGETS}
    others = {
        name: disks.make_disk(place / f"{name}.img", SIZE)
        for name in ("CLONE", "TWIN-a", "LOCKED", "LOCKED-SCSI", "IMAGE", "PART", "PAIR", "SCRATCH")
    }
    locked = disks.write_gpt(others["LOCKED"], [Partition(MIB, 4 * MIB, disks.LINUX)])
    double = disks.write_gpt(others["TWIN-a"], [Partition(MIB, 4 * MIB, disks.LINUX)])
    for name in ("TWIN-b", "DOUBLE"):
        others[name] = Path(shutil.copyfile(others["TWIN-a"], place / f"{name}.img"))
    for name, size in {"SMALL": 10 * MIB, "SHORT": SIZE - 512, "SHORT4K": SIZE - 4096}.items():
        others[name] = disks.make_disk(place / f"{name}.img", size)
    disks.write_gpt(
        others["PART"], [Partition(MIB, 4 * MIB, disks.LINUX), Partition(8 * MIB, 4 * MIB)]
    )
    Volume(others["PART"], 8 * MIB, 4 * MIB).format(12, cluster=4096, label="NEXT").put(
        b"neighbour", "/next.txt"
    )
    for name in ("PAIR", "SCRATCH"):
        disks.write_gpt(
            others[name], [Partition(MIB, 4 * MIB, disks.LINUX), Partition(8 * MIB, 8 * MIB)]
        )
    pair = Volume(others["PAIR"], 8 * MIB, 8 * MIB).format(12, cluster=4096, label="PAIR")
    batch = Batch(stick, work=work, pair=pair)
    steps = add_steps(batch, targets, locked, double)
    drives = [Drive("usb", stick.image, "STICK"), Drive("ahci", work.image, "WORK")]
    drives += [
        Drive(bus, targets[name][0], name, block) for name, (bus, block, _) in TARGETS.items()
    ]
    drives += [
        Drive("nvme", others["CLONE"], "CLONE"),
        Drive("nvme", others["TWIN-a"], "TWIN"),
        Drive("nvme", others["TWIN-b"], "TWIN"),
        Drive("virtio-blk", others["LOCKED"], read_only=True),
        Drive("virtio-scsi", others["LOCKED-SCSI"], "LOCKED-SCSI", read_only=True),
        Drive("nvme", others["IMAGE"], "IMAGE"),
        Drive("ahci", others["PART"], "PART"),
        Drive("ahci", others["SMALL"], "SMALL"),
        Drive("ahci", others["SHORT"], "SHORT"),
        Drive("nvme", others["SHORT4K"], "SHORT4K", 4096),
        Drive("nvme", others["DOUBLE"], "DOUBLE"),
        Drive("ahci", others["PAIR"], "PAIR"),
        Drive("nvme", others["SCRATCH"], "SCRATCH"),
    ]
    before = {
        name: path.read_bytes()
        for name, path in [
            *others.items(),
            *((name, target[0]) for name, target in targets.items()),
        ]
    }
    batch.boot(Machine(place / "machine", drives, memory=256))
    return SimpleNamespace(
        steps=steps,
        sources=sources,
        targets=targets,
        others=others,
        before=before,
        work=work,
        stick=stick,
    )


GUARDS = {  # name: (exit code, words, the line)
    "stick": (REFUSED, "started from it", "convert -n image512.qcow2 serial=STICK --erase=STICK"),
    "work": (REFUSED, "current volume", "convert -n %stick%\\part.raw serial=WORK --erase=WORK"),
    "no-erase": (REFUSED, "add --erase=SATA", "convert -n image512.qcow2 serial=SATA"),
    "wrong-erase": (
        REFUSED,
        "use --erase=SATA",
        "convert -n image512.qcow2 serial=SATA --erase=USB",
    ),
    "twin": (
        1,
        "2 disks or partitions match",
        "convert -n image512.qcow2 serial=TWIN --erase=TWIN",
    ),
    "locked": (
        REFUSED,
        "write-protected",
        "convert -n image512.qcow2 guid={locked} --erase={locked}",
    ),
    "locked-scsi": (
        18,
        "before the copy",
        "convert -n image512.qcow2 serial=LOCKED-SCSI",
    ),  # of which the firmware does not know
    "sectors": (
        SECTOR_SIZE,
        "sectors of 512 bytes, and the target has sectors of 4096",
        "convert -n image512.qcow2 serial=NVME4K",
    ),
    "small": (NO_SPACE, "too small", "convert -n image512.qcow2 serial=SMALL"),
    # One block is missing, that of the GPT's backup.
    "short": (
        NO_SPACE,
        f"with data at offset {SIZE - 512}",
        "convert -n image512.qcow2 serial=SHORT",
    ),
    "short-clone": (
        NO_SPACE,
        f"with data at offset {SIZE - 512}",
        "convert -n serial=PART serial=SHORT",
    ),
    "short-4k": (
        NO_SPACE,
        f"with data at offset {SIZE - 4096}",
        "convert -n image4096.qcow2 serial=SHORT4K",
    ),
    "double": (
        1,
        "3 disks or partitions match",
        "convert -n image512.qcow2 guid={double} --erase={double}",
    ),
    "same": (REFUSED, "what is read", "convert -n serial=PART serial=PART:1 --erase=PART:1"),
    "reverse": (REFUSED, "what is read", "convert -n serial=PART:1 serial=PART --erase=PART"),
    "nobody": (1, "serial=STICK", "convert -n image512.qcow2 serial=NOBODY"),
    "dd": (REFUSED, "--erase=SATA", "dd if=image512.qcow2 of=serial=SATA"),
    "own": (REFUSED, "which is the source", "convert -O qcow2 serial=WORK own.qcow2"),
    "own-map": (
        REFUSED,
        "which is the source",
        "convert --map=own.map -O qcow2 serial=WORK %stick%\\own.qcow2",
    ),
    "own-dd": (REFUSED, "which is the source", "dd bs=1M count=1 if=serial=WORK of=own.raw"),
    "bench": (REFUSED, "add --erase=", "bench -w serial=SCRATCH"),
    "bench-used": (REFUSED, "current volume", "bench -w --erase=WORK serial=WORK"),
    "bench-wrong": (REFUSED, "use --erase=SCRATCH", "bench -w --erase=SMALL serial=SCRATCH"),
    "snapshot": (1, "which only restore, clone, write", "snapshot -c s serial=IMAGE"),
}


def add_steps(batch, targets, locked, double):
    def run(line):
        return batch.run(rf"%stick%\efi-img.efi {line}")

    batch.do("%work%")
    batch.do(r"cp part.raw %stick%\part.raw")
    steps = {"first": run("list --output=json")}
    for name, (_, _, line) in GUARDS.items():
        steps[name] = run(line.format(locked=locked, double=double))
    # From the stick: then the work volume is not the current one, but holds the source.
    batch.do("%stick%")
    steps["holds"] = run(r"convert -n %work%\image512.qcow2 serial=WORK --erase=WORK")
    batch.do("%work%")
    steps["dry"] = run("convert -n image512.qcow2 serial=SATA --erase=SATA --dry-run --output=json")
    for name, (_, block, before) in TARGETS.items():
        target = targets[name][1]
        erase = "--erase=" + target.partition("=")[2] if before else ""
        keep = "" if name in MOVED else "--gpt=keep"
        steps["restore-" + name] = run(f"convert -n {keep} image{block}.qcow2 {target} {erase}")
        steps["compare-" + name] = run(f"compare -F raw image{block}.qcow2 serial={name}")
    steps["clone"] = run("convert -n serial=NVME serial=CLONE")
    steps["image"] = run("convert -c -O qcow2 serial=NVME serial=IMAGE")
    steps["info"] = run("info --output=json serial=IMAGE")
    steps["check"] = run("check serial=IMAGE")
    steps["compare-image"] = run("compare serial=IMAGE serial=NVME")
    steps["part"] = run("convert -n part.raw serial=PART:1")
    steps["part-back"] = run("compare part.raw serial=PART:1")
    # Two disks are alike to the last byte, and called alike; a third one is called otherwise.
    second = "path=PciRoot(0x0)/Pci(0x6,0x0)/NVMe(0x1,00-00-00-00-00-00-00-00)"
    steps["twin-b"] = run(f"convert -n --no-table part.raw {second} --erase={second}")
    steps["split"] = run("convert -O qcow2 --split=1M serial=NVME split.qcow2")
    steps["split-check"] = run("check split.qcow2")
    steps["split-compare"] = run("compare split.qcow2 serial=NVME")
    steps["next"] = run("list --output=json")
    steps["capture"] = run("convert -c -O qcow2 serial=SATA captured.qcow2")
    steps["pair"] = run(r"convert serial=PAIR:1 %pair%\pair.raw")
    steps["bench-w"] = run("bench -w --pattern=5 --erase=SCRATCH serial=SCRATCH")
    return steps


@pytest.mark.parametrize("name", GUARDS)
def test_guard(made, name):
    code, words, _ = GUARDS[name]
    step = made.steps[name]
    assert step.status == code and words in step.err, f"{step.status}: {step.err}"


def test_what_holds_the_source_is_refused(made):
    step = made.steps["holds"]
    assert step.status == REFUSED and "is on it" in step.err, step.err


def test_what_was_refused_is_as_it_was(made):
    for name in ("TWIN-a", "DOUBLE", "LOCKED", "LOCKED-SCSI", "SMALL", "SHORT", "SHORT4K"):
        assert made.others[name].read_bytes() == made.before[name]
    assert made.work.fsck() == "" and made.stick.fsck() == ""


def test_dry_run(made):
    plan = json.loads(made.steps["dry"].out)
    assert made.steps["dry"].status == 0 and plan["refused"] is None
    assert (plan["target"]["selector"], plan["target"]["contents"], plan["bytes"], plan["gpt"]) == (
        "serial=SATA",
        'FAT16 "SATA"',
        SIZE,
        "move",
    )


def check_gpt_moved(path, block, before):
    """
    Both copies are where they are to be, the old backup is gone, and all behind that is as it was.
    """
    content, last = path.read_bytes(), path.stat().st_size // block - 1
    size = 16 * KIB // block

    def header(lba):
        fields = struct.unpack("<8sIIIIQQQQ16sQIII", content[lba * block : lba * block + 92])
        zeroed = (
            content[lba * block : lba * block + 16]
            + bytes(4)
            + content[lba * block + 20 : lba * block + 92]
        )
        entries = content[fields[10] * block : fields[10] * block + 16 * KIB]
        assert (
            fields[0] == b"EFI PART"
            and fields[3] == zlib.crc32(zeroed)
            and fields[13] == zlib.crc32(entries)
        )
        return fields[5:9] + (fields[10],)

    assert header(1) == (1, last, 2 + size, last - size - 1, 2) and header(last) == (
        last,
        1,
        2 + size,
        last - size - 1,
        last - size,
    )
    assert content[458:462] == struct.pack("<I", last)
    assert (
        content[SIZE - block : SIZE] == bytes(block)
        and content[SIZE : (last - size) * block] == before[SIZE : (last - size) * block]
    )
    if block == 512:  # in a file, sgdisk knows no others
        assert "No problems found" in disks.run("sgdisk", "-v", path)


@pytest.mark.parametrize("name", TARGETS)
def test_restored(made, name):
    """
    Every byte, to the end of the image; behind it the disk is as it was. Where it is moved, the
    GPT fits the larger disk.
    """
    step = made.steps["restore-" + name]
    assert step.status == 0 and re.search(
        r": verified, identical to \S+(, with the backup of its GPT moved to the end)?; "
        r"[^;\n]+ of disk\S*.*\n\Z",
        step.out,
    ), (
        step.out + step.err
    )
    # No protocol of the firmware carries a flush to a USB drive.
    assert ("cannot make this drive" in step.err) == name.startswith("USB") and step.err.count(
        "\n"
    ) == name.startswith("USB"), step.err
    content, block = made.targets[name][0].read_bytes(), TARGETS[name][1]
    if name in MOVED:
        assert (
            content[2 * block : SIZE - block]
            == made.sources[block].read_bytes()[2 * block : SIZE - block]
        )
        check_gpt_moved(made.targets[name][0], block, made.before[name])
    else:
        assert (
            content[:SIZE] == made.sources[block].read_bytes()
            and content[SIZE:] == made.before[name][SIZE:]
        )


@pytest.mark.parametrize(
    "name", [name for name in TARGETS if "VIRTIO" not in name and name not in MOVED]
)
def test_read_back_in_the_firmware(made, name):
    """What differs is only what the disk has behind the end of the image."""
    step = made.steps["compare-" + name]
    if TARGETS[name][2]:
        assert step.status == 1 and f"Content mismatch at offset {SIZE}!" in step.out, (
            step.out + step.err
        )
    else:
        assert step.status == 0 and "identical" in step.out, step.out + step.err


@pytest.mark.parametrize("name", TARGETS)
def test_mounted_again(made, name):
    """When it is done, the firmware sees what is on the disk now."""
    found = [
        disk
        for disk in json.loads(made.steps["next"].out)
        if disk["serial"] == name
        or (
            disk["bus"] == "virtio"
            and disk["size"] > SIZE
            and name.startswith("VIRTIO")
            and disk["block-size"] == TARGETS[name][1]
        )
    ]
    assert len(found) == 1 and found[0]["partition-table"] == "gpt"
    first = found[0]["partitions"][0]
    assert (
        first["filesystem"]["label"] == "INSIDE"
        and first["filesystem"]["free"] is not None
        and len(found[0]["partitions"]) == 2
    )


def test_clone(made):
    """Onto a disk that is smaller, but has room for all that is in use."""
    assert made.steps["clone"].status == 0, made.steps["clone"].err
    assert made.others["CLONE"].read_bytes() == made.sources[512].read_bytes()


def test_image_on_a_disk(place, made):
    for name in ("image", "info", "check", "compare-image"):
        assert made.steps[name].status == 0, made.steps[name].err
    assert json.loads(made.steps["info"].out)["format"] == "qcow2"
    oracle.qemu_img("check", "-f", "qcow2", made.others["IMAGE"])
    oracle.qemu_img(
        "compare", "-f", "qcow2", "-F", "raw", made.others["IMAGE"], made.targets["NVME"][0]
    )


def test_partition(made):
    assert made.steps["part"].status == 0 and made.steps["part-back"].err == "", made.steps[
        "part"
    ].err
    after, before = made.others["PART"].read_bytes(), made.before["PART"]
    assert (
        after[:MIB] == before[:MIB]
        and after[MIB : 2 * MIB] == made.work.get("/part.raw")
        and after[2 * MIB :] == before[2 * MIB :]
    )
    assert Volume(made.others["PART"], 8 * MIB, 4 * MIB).fsck() == ""


def test_split(place, made):
    """
    A capture in several files on FAT: one image for efi-img, and for qemu-img what
    cat makes of them.
    """
    for name in ("split", "split-check", "split-compare"):
        assert made.steps[name].status == 0, made.steps[name].err
    count = int(made.steps["split"].out.partition(" is in ")[2].split()[0])
    names = ["split.qcow2", *(f"split.qcow2.{n:03}" for n in range(1, count))]
    content = [made.work.get(f"/{name}") for name in names]
    assert count > 2 and all(len(part) < MIB for part in content)
    (place / "split.qcow2").write_bytes(b"".join(content))
    oracle.check_image(place / "split.qcow2", "qcow2")
    oracle.qemu_img(
        "compare", "-f", "qcow2", "-F", "raw", place / "split.qcow2", made.targets["NVME"][0]
    )


def test_capture(place, made):
    assert made.steps["capture"].status == 0
    image = made.work.copy_out("/captured.qcow2", place / "captured.qcow2")
    oracle.check_image(image, "qcow2")
    oracle.qemu_img("compare", "-f", "qcow2", "-F", "raw", image, made.targets["SATA"][0])


@pytest.mark.parametrize(
    "step, source", [("capture", "SATA"), ("clone", "NVME"), ("image", "NVME"), ("pair", "PAIR:1")]
)
def test_nothing_was_written_to_the_source(made, step, source):
    """
    Nor to the partition that is read, while the image goes to a volume on another one of that disk.
    """
    assert made.steps[step].status == 0 and made.steps[step].out.startswith(
        f"efi-img: serial={source}: 0 writes to the source\n"
    ), made.steps[step].err
    assert (
        Volume(made.others["PAIR"], 8 * MIB, 8 * MIB).get("/pair.raw")
        == made.others["PAIR"].read_bytes()[MIB : 5 * MIB]
    )


def test_bench_writes(made):
    rows = [line.split() for line in made.steps["bench-w"].out.splitlines()]
    assert made.steps["bench-w"].status == 0 and [row[0] for row in rows] == [
        "4",
        "64",
        "256",
        "1024",
        "4096",
        "8192",
    ]
    content = made.others["SCRATCH"].read_bytes()
    assert content[:MIB] == b"\5" * MIB and not {*content[MIB:]} - {
        0,
        5,
        *made.before["SCRATCH"][-33 * 512 :],
    }


def test_two_alike(made):
    """
    Disks with the same model, size, contents and serial number are called by their paths, and
    only the one that is meant is written to.
    """
    step = made.steps["twin-b"]
    assert (
        step.status == 0
        and made.others["TWIN-b"].read_bytes()
        == made.work.get("/part.raw") + made.before["TWIN-b"][MIB:]
    ), step.err
    twins = [disk for disk in json.loads(made.steps["first"].out) if disk["serial"] == "TWIN"]
    assert len(twins) == 2 and all(
        disk["selector"] == "path=" + disk["device-path"] for disk in twins
    )
    assert len({disk["selector"] for disk in twins}) == 2
