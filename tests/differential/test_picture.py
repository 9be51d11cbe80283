# SPDX-License-Identifier: BSD-2-Clause
"""`map --picture` and `map --svg` beside what `qemu-img map` says of the same image."""

import json
import random
import re
import subprocess
import xml.etree.ElementTree as xml

import pytest

from access import efi_img
from images import MIB, qemu_img, qemu_io
from oracle import EFI_IMG, Result

LEAST, COLUMNS, CELLS = 4096, 64, 64 * 16
SVG = "{http://www.w3.org/2000/svg}"
COLORS = {"#3b6ea8": "#", "#e4e4e4": ".", "#d55e00": "!"}
UNITS = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}


def make(folder, name, size, seed=1):
    """An image with data at some places."""
    rng = random.Random(seed)
    qemu_img(folder, "create", "-q", "-f", "qcow2", name, str(size))
    if size > 0:
        writes = [(rng.randrange(size // 512) * 512, rng.randrange(1, 64) * 1024) for _ in range(9)]
        qemu_io(folder, name, *(f"write {at} {min(n, size - at)}" for at, n in writes))


def expected(folder, name, most, start=0, length=None):
    """The cells that there must be, and how large they are."""
    ranges = json.loads(Result(["qemu-img", "map", "--output=json", name], folder).out)
    size = sum(r["length"] for r in ranges)
    length = size - start if length is None else length
    cell = LEAST
    while -(-length // cell) > most:
        cell *= 2
    cells = ["."] * -(-length // cell)
    for r in ranges:
        first, end = max(r["start"], start), min(r["start"] + r["length"], start + length)
        if not r["zero"] and first < end:
            for i in range((first - start) // cell, -(-(end - start) // cell)):
                cells[i] = "#"
    return "".join(cells), cell


def picture(folder, *words):
    done = Result([EFI_IMG, "map", "--picture", *words], folder)
    assert (done.code, done.err) == (0, "")
    title, field, legend = done.out.split("\n\n")
    cell = re.search(r"each character is (\d+) (\w+)$", title)
    lines = field.splitlines()
    assert all(len(line) <= 10 + COLUMNS for line in lines)
    assert all(len(line) == 10 + COLUMNS for line in lines[:-1])
    return "".join(line[10:] for line in lines), int(cell[1]) * UNITS[cell[2]], legend


@pytest.mark.parametrize("size", [512, 4096, 5000 * 512, 4 * MIB, 4 * MIB + 512, 3 << 30])
def test_it_shows_what_qemu_img_says(tmp_path, size):
    make(tmp_path, "a.qcow2", size, size)
    cells, cell, legend = picture(tmp_path, "a.qcow2")
    assert (cells, cell) == expected(tmp_path, "a.qcow2", CELLS)
    assert "# data, " in legend and "unreadable" not in legend


def test_a_part(tmp_path):
    make(tmp_path, "a.qcow2", 64 * MIB)
    cells, cell, legend = picture(tmp_path, "-s", "3M", "-l", "5M", "a.qcow2")
    assert (cells, cell) == expected(tmp_path, "a.qcow2", CELLS, 3 * MIB, 5 * MIB)


def test_an_empty_disk(tmp_path):
    make(tmp_path, "a.qcow2", 0)
    done = Result([EFI_IMG, "map", "--picture", "a.qcow2"], tmp_path)
    assert (done.code, done.out) == (0, "a.qcow2: 0 B, each character is 4 KiB\n\n\n")


def test_the_drawing_has_the_same_cells(tmp_path):
    make(tmp_path, "a<b>&c.qcow2", 5 * MIB)
    done = Result([EFI_IMG, "map", "--svg", "a<b>&c.qcow2"], tmp_path)
    assert (done.code, done.err) == (0, "")
    drawing = xml.fromstring(done.out)
    assert drawing.find(f"{SVG}text").text.startswith("a<b>&c.qcow2: 5 MiB, each cell is 4 KiB")
    wanted, _ = expected(tmp_path, "a<b>&c.qcow2", 128 * 64)
    drawn = [None] * len(wanted)
    rectangles = [r.attrib for r in drawing.findall(f"{SVG}rect")][1:]  # after the background
    for r in rectangles[: -len(set(wanted))]:  # before the legend
        line, column = (int(r["y"]) - 56) // 8, (int(r["x"]) - 16) // 8
        for i in range(int(r["width"]) // 8):
            assert drawn[line * 128 + column + i] is None
            drawn[line * 128 + column + i] = COLORS[r["fill"]]
    assert "".join(drawn) == wanted


def test_what_a_rescue_map_says(tmp_path):
    """A sector that cannot be read is seen, however large the disk is."""
    make(tmp_path, "a.qcow2", 1 << 30)
    (tmp_path / "a.map").write_text(
        f"0x0 ? 1\n0x0 0x10000000 +\n0x10000000 0x200 -\n0x10000200 0x{0x30000000 - 0x200:x} ?\n"
    )
    cells, cell, legend = picture(tmp_path, "--map=a.map", "a.qcow2")
    bad = 0x10000000 // cell
    assert cells[:bad] == expected(tmp_path, "a.qcow2", CELLS)[0][:bad]
    assert cells[bad:] == "!" + "?" * (len(cells) - bad - 1)
    assert "! unreadable, 512 B\n? not copied yet, 768 MiB\n" in legend


@pytest.fixture(name="disk", scope="module")
def _disk(tmp_path_factory):
    """A disk with a file system of which less than half is used, and a capture of it."""
    folder = tmp_path_factory.mktemp("disk")
    (folder / "tree").mkdir()
    (folder / "tree" / "file").write_bytes(random.Random(3).randbytes(5 * MIB))
    subprocess.run(
        ["/sbin/mke2fs", "-q", "-t", "ext4", "-d", "tree", "disk.img", "32M"],
        cwd=folder,
        check=True,
    )
    with open(folder / "disk.img", "r+b") as disk:  # something that nothing uses
        for at in range(16 * MIB, 32 * MIB, 4096):
            disk.seek(at)
            if not any(disk.read(4096)):
                disk.seek(at)
                disk.write(b"left over" * 100)
    for target in ("a.qcow2", "a.raw"):
        words = ["capture", "-q", "serial=S1", target]
        done = efi_img(folder, *words, disks="disk.img,serial=S1")
        assert done.code == 0, done.err
    (folder / "a.raw").write_bytes((folder / "a.raw").read_bytes())  # without holes, as on FAT
    return folder


def unused(manifest, cell):
    """The cells that are wholly unused by a manifest."""
    ranges = [(r["offset"], r["length"]) for r in manifest["unused"]]
    return {i for at, n in ranges for i in range(-(-at // cell), (at + n) // cell)}


@pytest.mark.parametrize("name", ["a.qcow2", "a.raw"])
def test_what_a_manifest_says(disk, name):
    """Zeros that nothing used are another thing than zeros, also of a file that has no holes."""
    manifest = json.loads((disk / f"{name}.manifest").read_text())
    cells, cell, legend = picture(disk, f"--manifest={name}.manifest", name)
    wanted = unused(manifest, cell)
    assert len(wanted) > 100
    assert {i for i, kind in enumerate(cells) if kind == "-"} == wanted
    named = sum(r["length"] for r in manifest["unused"])
    assert f"- unused, {named / MIB:.3g} MiB\n" in legend


def test_an_image_knows_itself_what_was_unused(disk):
    """By its bitmap, as long as nothing is written there."""
    cells, cell, _ = picture(disk, "a.qcow2")
    assert cells == picture(disk, "--manifest=a.qcow2.manifest", "a.qcow2")[0]
    (disk / "b.qcow2").write_bytes((disk / "a.qcow2").read_bytes())
    at = cells.rindex("-") * cell // 65536 * 65536  # a cluster
    qemu_io(disk, "b.qcow2", f"write {at} {cell}")
    for words in ([], ["--manifest=a.qcow2.manifest"]):
        after = picture(disk, *words, "b.qcow2")[0]
        assert after[at // cell] == "#" and after[: at // cell] == cells[: at // cell]
    assert "-" not in picture(disk, "a.raw")[0]


def test_what_a_manifest_could_not_read(disk):
    manifest = json.loads((disk / "a.raw.manifest").read_text())
    manifest["lost"] = [{"offset": 4096 * 7, "length": 512}, {"offset": 9 * MIB, "length": MIB}]
    manifest["lost-bytes"] = MIB + 512 + 4096
    (disk / "lost.manifest").write_text(json.dumps(manifest))
    done = Result([EFI_IMG, "map", "--picture", "--manifest=lost.manifest", "a.raw"], disk)
    assert done.code == 0 and "! unreadable, 1 MiB\n" in done.out
    assert "lost.manifest does not name all unreadable ranges: 4096 bytes more" in done.err
    manifest["lost-bytes"] = MIB + 512
    (disk / "lost.manifest").write_text(json.dumps(manifest))
    cells, cell, _ = picture(disk, "--manifest=lost.manifest", "a.raw")
    bad = {4096 * 7 // cell, *range(9 * MIB // cell, 10 * MIB // cell)}
    assert {i for i, kind in enumerate(cells) if kind == "!"} == bad


def legend_bytes(text):
    """What the lines below a picture add up to; each is rounded."""
    units = {**UNITS, "B": 1}
    found = re.findall(r"^\S [a-z ]+, ([\d.]+) (\w+)$", text, re.M)
    return sum(float(n) * units[unit] for n, unit in found)


def test_each_byte_is_counted_once(disk):
    """What both records name, too, and what is data or unused as well."""
    manifest = json.loads((disk / "a.raw.manifest").read_text())
    lost = [(9 * MIB, 2 * MIB), (MIB, MIB), (10 * MIB, 2 * MIB)]  # neither in order nor disjoint
    manifest["lost"] = [{"offset": at, "length": n} for at, n in lost]
    manifest["lost-bytes"] = 5 * MIB
    (disk / "twice.manifest").write_text(json.dumps(manifest))
    (disk / "twice.map").write_text(
        f"0x0 ? 1\n0x0 0x{9 * MIB:x} +\n0x{9 * MIB:x} 0x{MIB:x} -\n"
        f"0x{10 * MIB:x} 0x{22 * MIB:x} ?\n"
    )
    words = ("--manifest=twice.manifest", "--map=twice.map", "a.raw")
    cells, cell, legend = picture(disk, *words)
    assert "! unreadable, 4 MiB\n? not copied yet, 20 MiB\n" in legend
    assert abs(legend_bytes(legend) - 32 * MIB) < MIB / 8
    per = MIB // cell
    assert cells[9 * per :] == "!" * (3 * per) + "?" * (20 * per)
    assert cells[per : 2 * per] == "!" * per


@pytest.mark.parametrize(
    "change,said",
    [
        ({"virtual-size": 64 * MIB}, "is the manifest of a disk of 67108864 bytes, but this one"),
        ({"lost": [{"offset": 32 * MIB, "length": 512}]}, 'field "lost" is invalid'),
        ({"unused": [{"offset": 0}]}, 'field "unused" is invalid'),
        ({"unused": [{"offset": 2**64 - 1, "length": 2}]}, 'field "unused" is invalid'),
    ],
)
def test_a_manifest_of_something_else(disk, change, said):
    manifest = {**json.loads((disk / "a.raw.manifest").read_text()), **change}
    (disk / "wrong.manifest").write_text(json.dumps(manifest))
    done = Result([EFI_IMG, "map", "--picture", "--manifest=wrong.manifest", "a.raw"], disk)
    assert (done.code, done.out) == (1, "") and said in done.err, done.err


@pytest.mark.parametrize(
    "words,code,said",
    [
        (("--picture", "--svg"), 1, "only one of them"),
        (("--picture", "--output=json"), 1, "no other form"),
        (("--map=a.map",), 1, "--map: only with --picture or --svg"),
        (("--manifest=a.qcow2",), 1, "--manifest: only with --picture or --svg"),
        (("--picture", "--manifest=none"), 1, "none"),
        (("--picture", "--manifest=a.qcow2"), 1, "a.qcow2: not a manifest"),
        (("--picture", "--map=none.map"), 1, "none.map: there is no such rescue map"),
        (("--picture", "--map=a.qcow2"), 1, "a.qcow2"),
        (("--picture", "-s", "x"), 1, "start offset"),
    ],
)
def test_what_is_refused(tmp_path, words, code, said):
    make(tmp_path, "a.qcow2", MIB)
    before = (tmp_path / "a.qcow2").read_bytes()
    done = Result([EFI_IMG, "map", *words, "a.qcow2"], tmp_path)
    assert done.code != 0 and done.out == "" and said in done.err, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.qcow2"]
    assert (tmp_path / "a.qcow2").read_bytes() == before
