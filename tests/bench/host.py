# SPDX-License-Identifier: BSD-2-Clause
"""
Usage: tests/bench/host.py EFI_IMG MEASURE [WORD...]

Compares EFI_IMG, the Linux program with the core of efi-img, with qemu-img: each line is given to
both by turns, on files that are in memory. Prints one table of medians and of their ratios, and
writes it to build/bench.json. Only the ratios mean something on another machine. Processor time is
user and system time of all threads: what it costs a single core. With words: only the lines whose
names have one of them, and nothing is written.
"""

import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import report
from data import GIB, KIB, MIB, ROOT, TIB, make_disk, room

sys.path.append(str(ROOT / "tests" / "differential"))

import readonly  # noqa: E402  (found through the line above)

RUNS = 5
DISK_BYTES, DATA_BYTES = 256 * MIB, 128 * MIB
ROOM_BYTES = 4 * GIB


@dataclass
class Case:
    """
    A line for both programs; qemu-img's may need more words. `fresh`: images that it changes, made
    anew from masters of the same name. `target`: what it makes, whose size is compared.
    """

    name: str
    line: str
    more: str = ""
    fresh: list = field(default_factory=list)
    target: str = ""


CASES = [
    # By itself, qemu-img convert flushes nothing.
    Case("create qcow2", "create -q -f qcow2 new 1T", target="new"),
    Case("create, metadata", "create -q -f qcow2 -o preallocation=metadata new 256G", target="new"),
    Case("raw -> qcow2", "convert -O qcow2 disk.raw new", "-t writeback", target="new"),
    Case("qcow2 -> raw", "convert -O raw disk.qcow2 new", "-t writeback", target="new"),
    Case("-c, zlib", "convert -c -O qcow2 disk.raw new", "-t writeback", target="new"),
    Case(
        "-c, zstd",
        "convert -c -O qcow2 -o compression_type=zstd disk.raw new",
        "-t writeback",
        target="new",
    ),
    Case("zlib -> raw", "convert -O raw zlib.qcow2 new", "-t writeback", target="new"),
    Case("zstd -> raw", "convert -O raw zstd.qcow2 new", "-t writeback", target="new"),
    Case("check", "check disk.qcow2"),
    Case("check, 1 TiB", "check tables.qcow2"),
    Case("map", "map --output=json disk.qcow2"),
    Case("map, 1 TiB", "map --output=json tables.qcow2"),
    Case("compare", "compare disk.raw disk.qcow2"),
    Case("compare, zlib", "compare disk.raw zlib.qcow2"),
    Case("measure", "measure -O qcow2 disk.raw"),
    Case("measure, 1 TiB", "measure -O qcow2 tables.qcow2"),
    Case("snapshot -c", "snapshot -c one disk.qcow2", fresh=["disk.qcow2"]),
    Case("snapshot -d", "snapshot -d one snapped.qcow2", fresh=["snapped.qcow2"]),
    Case("snapshot -c, 1 TiB", "snapshot -c one tables.qcow2", fresh=["tables.qcow2"]),
    Case("commit", "commit -q over.qcow2", fresh=["over.qcow2", "base.qcow2"]),
    Case("rebase", "rebase -b empty.qcow2 -F qcow2 thin.qcow2", fresh=["thin.qcow2"]),
    Case("info", "info disk.qcow2"),
]


# Formats of which both programs write images, and qemu-img can check some. Their options make the
# disk as long as it is.
FORMATS = {
    "parallels": "",
    "qcow": "",
    "qed": "",
    "vdi": "",
    "vhdx": "",
    "vmdk": "",
    "vpc": "force_size=on",
}
CHECKED = ("parallels", "qed", "vdi", "vhdx", "vmdk")


# One core against one: qemu-img compresses with one thread.
STREAM = "stream.vmdk"
STREAM_CASES = [
    Case(
        "raw -> vmdk stream",
        "convert -O vmdk -o subformat=streamOptimized disk.raw new",
        "-t writeback",
        target="new",
    ),
    Case("vmdk stream -> raw", f"convert -O raw {STREAM} new", "-t writeback", target="new"),
]


# Formats that both programs only read, from writers of ours. qemu-img takes a dmg by its name, and
# has no bzip2.
READ_ONLY = {
    "bochs": lambda contents: readonly.bochs(contents, extent=64 * KIB),
    "cloop": lambda contents: readonly.cloop(contents, level=6),
    "dmg": lambda contents: readonly.dmg(contents, shuffled=False),
}
READ_ONLY_CASES = [
    case
    for name in READ_ONLY
    for case in (
        Case(f"{name} -> raw", f"convert -O raw disk.{name} new", "-t writeback", target="new"),
        Case(f"compare {name}", f"compare disk.raw disk.{name}"),
    )
]


def of_formats(formats):
    """The lines for these."""
    return (STREAM_CASES if "vmdk" in formats else []) + [
        case
        for name in formats
        for case in (
            Case(f"raw -> {name}", f"convert -O {name} disk.raw new", "-t writeback", target="new"),
            Case(f"{name} -> raw", f"convert -O raw disk.{name} new", "-t writeback", target="new"),
            Case(f"compare {name}", f"compare disk.raw disk.{name}"),
            Case(f"map {name}", f"map --output=json disk.{name}"),
            *([Case(f"check {name}", f"check disk.{name}")] if name in CHECKED else []),
        )
    ]


def formats_of(program):
    """Those of them that efi-img has."""
    said = subprocess.run(
        [program, "help", "all"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    lines = said.partition("Image formats:\n")[2].partition("\n\n")[0].splitlines()
    return [name for name in FORMATS if name in (line.split()[0] for line in lines)]


# ---- the disk and its images ----


def make_images(place, formats):
    def qemu_img(*words):
        subprocess.run(
            ["qemu-img", *map(str, words)], cwd=place, check=True, stdout=subprocess.DEVNULL
        )

    make_disk(place / "disk.raw", DISK_BYTES, DATA_BYTES)
    qemu_img("convert", "-O", "qcow2", "disk.raw", "disk.qcow2")
    for name in formats:
        options = ["-o", FORMATS[name]] if FORMATS[name] else []
        qemu_img("convert", "-O", name, *options, "disk.raw", f"disk.{name}")
    for name, make in READ_ONLY.items():
        (place / f"disk.{name}").write_bytes(make((place / "disk.raw").read_bytes()))
    if "vmdk" in formats:
        qemu_img("convert", "-O", "vmdk", "-o", "subformat=streamOptimized", "disk.raw", STREAM)
    for kind in ("zlib", "zstd"):
        qemu_img(
            "convert",
            "-c",
            "-O",
            "qcow2",
            "-o",
            f"compression_type={kind}",
            "disk.raw",
            f"{kind}.qcow2",
        )
    qemu_img("create", "-f", "qcow2", "-o", "preallocation=metadata", "tables.qcow2", TIB)
    for name in ("base", "empty"):
        qemu_img("create", "-f", "qcow2", f"{name}.qcow2", DISK_BYTES)
    qemu_img("create", "-f", "qcow2", "-b", "disk.qcow2", "-F", "qcow2", "thin.qcow2")
    copy(place / "disk.qcow2", place / "over.qcow2")
    qemu_img("rebase", "-u", "-b", "base.qcow2", "-F", "qcow2", "over.qcow2")
    copy(place / "disk.qcow2", place / "snapped.qcow2")
    qemu_img("snapshot", "-c", "one", "snapped.qcow2")


def copy(source, target):
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


# ---- measuring ----


def run(measure, program, words, place):
    """One run: {what: number}."""
    done = subprocess.run(
        [measure, program, *words], cwd=place, capture_output=True, text=True, check=True
    )
    code, wall_ns, cpu_us, memory_kib = map(int, done.stdout.split())
    if code:
        sys.exit(f"{done.stderr}{program} {' '.join(words)}: exit code {code}")
    return {"wall": wall_ns / 1e9, "cpu": cpu_us / 1e6, "memory": memory_kib / KIB}


def run_fresh(case, name, program, measure, place):
    """One run on images as they were at first."""
    words = case.line.split()
    if name == "qemu-img":
        words[1:1] = case.more.split()
    for image in case.fresh:
        copy(place / "masters" / image, place / image)
    (place / "new").unlink(missing_ok=True)
    result = run(measure, program, words, place)
    if case.target:
        result["size"] = (place / case.target).stat().st_size / MIB
    return result


def measure_case(case, programs, measure, place):
    """Runs both by turns: the medians of each, and of the ratios of the pairs."""
    pairs = []
    for number in range(RUNS + 1):
        order = list(programs) if number % 2 else list(reversed(programs))
        pairs.append(
            {name: run_fresh(case, name, programs[name], measure, place) for name in order}
        )
    del pairs[0]  # it warmed up
    what = pairs[0]["qemu-img"]
    medians = {
        name: {key: statistics.median(pair[name][key] for pair in pairs) for key in what}
        for name in programs
    }
    ratios = {
        key: statistics.median(
            pair["efi-img"][key] / max(pair["qemu-img"][key], 1e-6) for pair in pairs
        )
        for key in what
    }
    return {**medians, "ratio": ratios}


HEAD = (
    f"{'':20}{'wall':>24}{'processor':>24}{'memory':>22}{'size':>7}\n{'efi-img : qemu-img':20}"
    + "".join(f"{'s':>8}{'s':>8}{'ratio':>8}" for _ in range(2))
    + f"{'MiB':>7}{'MiB':>7}{'ratio':>8}{'ratio':>7}"
)


def show(case, result):
    ours, theirs, ratio = result["efi-img"], result["qemu-img"], result["ratio"]
    text = f"{case.name:20}"
    for what in ("wall", "cpu"):
        text += f"{ours[what]:8.3f}{theirs[what]:8.3f}{ratio[what]:8.2f}"
    text += f"{ours['memory']:7.1f}{theirs['memory']:7.1f}{ratio['memory']:8.2f}"
    print(text + (f"{ratio['size']:7.3f}" if "size" in ratio else ""), flush=True)


def main():
    programs = {"efi-img": Path(sys.argv[1]).resolve(), "qemu-img": "qemu-img"}
    measure = Path(sys.argv[2]).resolve()
    words = sys.argv[3:]
    results, formats = {}, formats_of(programs["efi-img"])
    with tempfile.TemporaryDirectory(dir=room(ROOM_BYTES)) as directory:
        place = Path(directory)
        make_images(place, formats)
        (place / "masters").mkdir()
        for image in {image for case in CASES for image in case.fresh}:
            copy(place / image, place / "masters" / image)
        print(HEAD)
        for case in [*CASES, *of_formats(formats), *READ_ONLY_CASES]:
            if words and not any(word in case.name for word in words):
                continue
            results[case.name] = measure_case(case, programs, measure, place)
            show(case, results[case.name])
    if not words:
        report.save("host", results)


if __name__ == "__main__":
    main()
