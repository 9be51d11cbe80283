# SPDX-License-Identifier: BSD-2-Clause
"""
Every format that efi-img can create, beside qemu-img: the same commands on images of both programs.

What is known to differ on purpose is in DIFFERENT, each with its reason.
"""

import hashlib
import itertools
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from format_kinds import MIB, by_name, kinds, readable, writable
from oracle import EFI_IMG, Pair, Result, assert_info_as_qemu

SIZE = 5 * MIB - 70 * 512
STOPPED = 15

# (topic, name of a kind or its format): why efi-img's answer is another one.
DIFFERENT = {
    ("map", "vhdx"): "qemu-img does not know where VHDX images have holes, and says it is all data",
    ("measure", "vhdx"): "for the same reason, qemu-img measures all of the disk",
    ("map", "vmdk-stream"): "the holes of a stream are data to qemu-img",
    ("measure", "vmdk-stream"): "for the same reason",
    ("check", "vpc"): "qemu-img has no check of VHD images",
    ("check", "qcow"): "qemu-img has no check of qcow images",
    **{
        ("measure new", format): "qemu-img measures no new images of this format"
        for format in ("parallels", "qcow", "qed", "vdi", "vhdx", "vmdk", "vpc")
    },
    ("packed", "vmdk"): "qemu-img takes -c and compresses nothing, unless it writes a stream",
    **{
        ("create 0", format): "qemu-img makes an image that it cannot open"
        for format in ("vmdk", "vpc")
    },
    ("create 0", "vhdx"): "qemu-img makes a table of 64 MiB, and opens no image with less",
    **{
        ("resize", format): "qemu-img keeps the size of such disks, or only grows them"
        for format in ("vdi", "vhdx", "vpc")
    },
    ("commit", "vmdk"): "qemu-img leaves the image as it is without being told so by -d",
    ("over raw", "vmdk"): "the backing file of a VMDK image is one, and qemu-img says so too late",
    ("over qcow2", "vmdk"): "the same",
    ("create 0", "qcow"): "qemu-img prints its line before it finds that a qcow disk has a byte",
    ("create 100G", "qed-small"): "qemu-img prints its line before it finds that this is too large",
}


def different(topic, kind):
    return any((topic, name) in DIFFERENT for name in (kind.name, kind.format, "*"))


def disk(seed=1, size=SIZE):
    """Data of all kinds, with zeros and holes between them, up to the last sector."""
    dice = random.Random(seed)
    bytes = bytearray(size)
    for at in range(0, size, 300 * 1024):
        kind = dice.randrange(4)
        n = min(size - at, dice.choice([512, 5000, 65536, 200000]))
        if kind == 0:
            bytes[at : at + n] = dice.randbytes(n)
        elif kind == 1:
            bytes[at : at + n] = b"text " * (n // 5) + b" " * (n % 5)
    bytes[-700:] = dice.randbytes(700)
    bytes[:600] = dice.randbytes(600)
    return bytes_of(bytes)


def bytes_of(array):
    return bytes(array)


def write_sparse(path, content):
    with open(path, "wb") as file:
        for at in range(0, len(content), 4096):
            piece = content[at : at + 4096]
            if any(piece):
                file.seek(at)
                file.write(piece)
        file.truncate(len(content))


def efi_img(folder, *args, code=0, **environment):
    os.environ.update(environment)
    try:
        done = Result([EFI_IMG, *args], folder)
    finally:
        for name in environment:
            del os.environ[name]
    assert code is None or done.code == code, (args, done.out + done.err)
    return done


def qemu_img(folder, *args, code=0):
    done = Result(["qemu-img", *args], folder)
    assert code is None or done.code == code, (args, done.out + done.err)
    return done


@pytest.fixture
def pair(tmp_path):
    pair = Pair(tmp_path)
    for folder in (pair.ours, pair.theirs):
        write_sparse(folder / "r", disk())
    return pair


def assert_both(topic, kind, folder, *args):
    """Both programs say the same of what is in the folder."""
    ours, theirs = Result([EFI_IMG, *args], folder), Result(["qemu-img", *args], folder)
    if different(topic, kind):
        assert ours.code in (0, 1, 2, 3, 63), ours.err
        return ours
    assert (ours.code, ours.out) == (theirs.code, theirs.out), (args, ours.err, theirs.err)
    return ours


def assert_info(folder, kind, *options):
    assert_info_as_qemu(folder, "x", *kind.given, *options)


def assert_sound(folder, format, name):
    """qemu-img's verdict, where it has one; it needs none of raw."""
    check = Result(["qemu-img", "check", "-f", format, name], folder)
    assert check.code in (0, 63), check.out + check.err


def assert_contents(folder, kind, name, content):
    """Both programs read this from an image; what a geometry adds are zeros."""
    for program in (EFI_IMG, "qemu-img"):
        made = Result([program, "convert", "-f", kind.format, "-O", "raw", name, "flat"], folder)
        assert made.code == 0, made.err
        flat = (folder / "flat").read_bytes()
        assert flat[: len(content)] == content, f"{program} reads something else"
        assert not any(flat[len(content) :]) and (kind.rounds or len(flat) == len(content))
        (folder / "flat").unlink()


def fill(pair, kind, name="x"):
    """The disk r in an image, made by each program in its folder."""
    for folder, program in ((pair.ours, EFI_IMG), (pair.theirs, "qemu-img")):
        args = [program, "convert", "-f", "raw", "-O", kind.format, *kind.words, "r", name]
        done = Result(args, folder)
        assert done.code == 0, done.err


def sizes(info):
    """What two programs write differently by chance: identifiers, and what a file takes."""
    info.pop("actual-size", None)
    data = info.get("format-specific", {}).get("data", {})
    for name in ("cid", "parent-cid"):
        data.pop(name, None)
    return info


# ---- create ----


@pytest.mark.parametrize("format", readable())
def test_help(pair, format):
    """The options by name, type and order; what each is for is in words of our own."""
    ours, theirs = pair.run("create", "-f", format, "-o", "help")
    assert ours.code == theirs.code
    options = [re.findall(r"^  (\w+)=<(.*)>", done.out, re.MULTILINE) for done in (ours, theirs)]
    common = set(options[0]) & set(options[1])
    assert [o for o in options[0] if o in common] == [o for o in options[1] if o in common]
    assert common or theirs.code != 0


@pytest.mark.parametrize("size", ["0", "1", "512", "1M", "5207552", "1G", "100G"])
@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_create(pair, kind, size):
    if "fixed" in kind.name or "static" in kind.name or "flat" in kind.name:
        if size.endswith("G"):
            pytest.skip("all of it would be written")
    ours, theirs = pair.run("create", "-f", kind.format, *kind.words, "x", size)
    if different("create", kind) or different(f"create {size}", kind):
        assert ours.code in (0, 1)
        return
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    if ours.code != 0:
        assert not (pair.ours / "x").exists() and ours.err.startswith("efi-img: x: ")
        return
    names = [sorted(path.name for path in folder.iterdir()) for folder in (pair.ours, pair.theirs)]
    assert names[0] == names[1]
    for folder in (pair.ours, pair.theirs):
        assert_info(folder, kind)
        if size != "100G":  # qemu-img looks at each block
            assert_both("map", kind, folder, "map", "--output=json", *kind.given, "x")
    infos = [
        sizes(qemu_img(folder, "info", "--output=json", *kind.given, "x").json())
        for folder in (pair.ours, pair.theirs)
    ]
    assert infos[0] == infos[1]
    checks = [
        qemu_img(folder, "check", "-f", kind.format, "x", code=None)
        for folder in (pair.ours, pair.theirs)
    ]
    # It finds a leak in an empty Parallels image with a large table, its own too.
    assert checks[0].code == checks[1].code and checks[0].code in (0, 3, 63), checks[0].err


# ---- what is in an image ----


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_filled(pair, kind):
    """Images of both programs, read by both; and what both say of them."""
    fill(pair, kind)
    content = disk()
    assert_sound(pair.ours, kind.format, "x")
    for folder in (pair.ours, pair.theirs):
        assert_contents(folder, kind, "x", content)
        assert_info(folder, kind)
        assert_both("map", kind, folder, "map", "--output=json", *kind.given, "x")
        assert_both("map", kind, folder, "map", *kind.given, "x")
        assert_both("compare", kind, folder, "compare", "-f", "raw", "-F", kind.format, "r", "x")
        assert_both(
            "compare", kind, folder, "compare", "-s", "-f", "raw", "-F", kind.format, "r", "x"
        )
        for style in ("human", "json"):
            assert_both("check", kind, folder, "check", f"--output={style}", *kind.given, "x")
            for to in ("raw", "qcow2"):
                assert_both(
                    "measure",
                    kind,
                    folder,
                    "measure",
                    f"--output={style}",
                    "-O",
                    to,
                    *kind.given,
                    "x",
                )
    whole = content + bytes(qemu_size(pair.ours, kind) - len(content))
    assert hashlib.sha256(whole).hexdigest() in efi_img(pair.ours, "hash", "x").out


def qemu_size(folder, kind):
    info = qemu_img(folder, "info", "--output=json", "-f", kind.format, "x")
    return info.json()["virtual-size"]


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_measure(pair, kind):
    """What a new image would take."""
    for words in (["--size", "1G"], ["-f", "raw", "r"]):
        command = ["measure", "-O", kind.format, *kind.words, *words]
        assert_both("measure new", kind, pair.ours, *command)


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_empty_source(pair, kind):
    for folder in (pair.ours, pair.theirs):
        write_sparse(folder / "r", bytes(SIZE))
    fill(pair, kind)
    assert_contents(pair.ours, kind, "x", bytes(SIZE))
    for folder in (pair.ours, pair.theirs):
        assert_info(folder, kind)


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_dd(pair, kind):
    """Out of an image, and into one."""
    fill(pair, kind)
    command = ["dd", "bs=3k", "count=300", "skip=7", "-O", "raw", "if=x", "of=t"]
    for folder in (pair.ours, pair.theirs):
        efi_img(folder, *command)
        assert (folder / "t").read_bytes() == disk()[7 * 3072 : 307 * 3072]
    efi_img(pair.ours, "dd", "-f", "raw", "-O", kind.format, "bs=64k", "if=r", "of=y")
    qemu_img(pair.ours, "compare", "-f", kind.format, "-F", "raw", "y", "r")


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_packed(pair, kind):
    """Compressed, where both can."""
    command = ["convert", "-c", "-f", "raw", "-O", kind.format, *kind.words, "r", "x"]
    ours, theirs = pair.run(*command)
    if kind.format != "qcow":  # where qemu-img writes everything, and then ends with 1
        assert different("packed", kind) or ours.code == theirs.code, ours.err + theirs.err
    if ours.code != 0:
        assert ours.err.startswith("efi-img: ") and not (pair.ours / "x").exists()
        return
    assert_contents(pair.ours, kind, "x", disk())
    assert_sound(pair.ours, kind.format, "x")
    if theirs.code == 0:
        assert_contents(pair.theirs, kind, "x", disk())


FIRST = [kind for kind in kinds(raw=True) if kind.name == kind.format]


@pytest.mark.parametrize(
    "source, target",
    [pytest.param(a, b, id=f"{a}-{b}") for a, b in itertools.product(FIRST, FIRST)],
)
def test_pairs(pair, source, target):
    qemu_img(pair.ours, "convert", "-f", "raw", "-O", source.format, *source.words, "r", "x")
    efi_img(pair.ours, "convert", "-f", source.format, "-O", target.format, "x", "y")
    formats = ["-f", source.format, "-F", target.format]
    qemu_img(pair.ours, "compare", *formats, "x", "y")
    efi_img(pair.ours, "compare", *formats, "x", "y")
    assert_sound(pair.ours, target.format, "y")


# ---- changes ----

CHANGED = [kind for kind in kinds() if not kind.once]


@pytest.mark.parametrize("kind", **by_name(CHANGED))
def test_bench(pair, kind):
    """Writes in place, on images of both programs: the same bytes."""
    fill(pair, kind)
    for words in (
        ["-c", "7", "-s", "3k", "-S", "700k", "-o", "1500k"],
        ["-c", "2", "-s", "512", "-o", "4M"],
        ["-c", "3", "-s", "1M", "--pattern=17"],
    ):
        for folder in (pair.ours, pair.theirs):
            for name in ("x", "r"):
                format = kind.format if name == "x" else "raw"
                program = EFI_IMG if name == "x" else "qemu-img"
                done = Result([program, "bench", "-w", "-q", *words, "-f", format, name], folder)
                assert done.code == 0, done.err
            qemu_img(folder, "compare", "-f", kind.format, "-F", "raw", "x", "r")
            assert_sound(folder, kind.format, "x")


@pytest.mark.parametrize("kind", **by_name(CHANGED))
def test_write_over(pair, kind):
    """convert -n into an image that has other data, and zeros over data."""
    fill(pair, kind)
    for content in (disk(2), bytes(SIZE), disk(3)):
        for folder in (pair.ours, pair.theirs):
            write_sparse(folder / "other", content)
            efi_img(folder, "convert", "-n", "-f", "raw", "-O", kind.format, "other", "x")
            assert_contents(folder, kind, "x", content)
            assert_sound(folder, kind.format, "x")


@pytest.mark.parametrize("to", ["+1M", "+100M", "6G", "--shrink 1M", "4M", "garbage"])
@pytest.mark.parametrize("kind", **by_name(CHANGED))
def test_resize(pair, kind, to):
    fill(pair, kind)
    command = ["resize", "-q", "-f", kind.format, *to.split()[:-1], "x", to.split()[-1]]
    ours, theirs = pair.run(*command)
    if not different("resize", kind):
        assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    if ours.code != 0:
        assert ours.err.startswith("efi-img: ")
        assert_contents(pair.ours, kind, "x", disk())
        return
    size = qemu_size(pair.ours, kind)
    if theirs.code == 0:
        assert size == qemu_size(pair.theirs, kind)
    assert_sound(pair.ours, kind.format, "x")
    assert_info(pair.ours, kind)
    write_sparse(pair.ours / "r", disk()[:size])
    os.truncate(pair.ours / "r", size)
    qemu_img(pair.ours, "compare", "-f", kind.format, "-F", "raw", "x", "r")
    efi_img(pair.ours, "bench", "-w", "-q", "-c", "1", "-o", str(size - 4096), "-s", "4k", "x")
    assert_sound(pair.ours, kind.format, "x")


def has_backing(kind):
    done = qemu_img(None, "create", "-f", kind.format, "-o", "help")
    return "backing_file" in done.out and "lat" not in kind.options.replace("format", "")


BACKED = [kind for kind in CHANGED if has_backing(kind)]


@pytest.mark.parametrize("base", ["raw", "qcow2", "same"])
@pytest.mark.parametrize("kind", **by_name(BACKED))
def test_backing(pair, kind, base):
    """An image over another one: described, written to, committed."""
    base = kind.format if base == "same" else base
    if different(f"over {base}", kind):
        return
    for folder in (pair.ours, pair.theirs):
        qemu_img(folder, "convert", "-f", "raw", "-O", base, "r", "base")
    ours, theirs = pair.run("create", "-f", kind.format, *kind.words, "-b", "base", "-F", base, "x")
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    if ours.code != 0:
        return
    assert_contents(pair.ours, kind, "x", disk())
    for folder in (pair.ours, pair.theirs):
        assert_info(folder, kind, "--backing-chain")
        words = ["-w", "-q", "-c", "5", "-s", "5k", "-S", "900k", "-o", "60k"]
        efi_img(folder, "bench", *words, "-f", kind.format, "x")
        qemu_img(folder, "bench", *words, "-f", "raw", "r")
        qemu_img(folder, "compare", "-f", kind.format, "-F", "raw", "x", "r")
        assert_both("map", kind, folder, "map", "--output=json", *kind.given, "x")
    if different("commit", kind):
        assert "-d" in efi_img(pair.ours, "commit", "-f", kind.format, "x", code=1).err
    command = ["commit", *(["-d"] if different("commit", kind) else []), "-f", kind.format, "x"]
    ours, theirs = pair.run(*command)
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    qemu_img(pair.ours, "compare", "-f", base, "-F", "raw", "base", "r")
    if not different("commit", kind):  # else another base invalidates what is over it
        qemu_img(pair.ours, "compare", "-f", kind.format, "-F", "raw", "x", "r")
        assert_sound(pair.ours, kind.format, "x")


# ---- disks, split sets, jobs that are interrupted ----

DISKS = "disk.img,serial=DISK:empty.img,serial=EMPTY"


@pytest.fixture
def place(tmp_path):
    write_sparse(tmp_path / "disk.img", disk(4, 5 * MIB))
    write_sparse(tmp_path / "empty.img", bytes(5 * MIB))
    return tmp_path


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_capture_and_restore(place, kind):
    """From a disk into an image, and, verified, onto another disk."""
    content = (place / "disk.img").read_bytes()
    words = ["convert", "-O", kind.format, *kind.words, "serial=DISK", "x"]
    efi_img(place, *words, "--dry-run", EFI_IMG_DISKS=DISKS)
    assert not (place / "x").exists()
    efi_img(place, *words, EFI_IMG_DISKS=DISKS)
    assert_contents(place, kind, "x", content)
    if kind.rounds:
        return
    words = ["convert", "-n", "-f", kind.format, "--no-table", "x", "serial=EMPTY"]
    efi_img(place, *words, "--dry-run", EFI_IMG_DISKS=DISKS)
    assert not any((place / "empty.img").read_bytes())
    done = efi_img(place, *words, EFI_IMG_DISKS=DISKS)
    assert (place / "empty.img").read_bytes() == content and "verified" in done.out
    efi_img(place, "compare", "-f", kind.format, "x", "serial=EMPTY", EFI_IMG_DISKS=DISKS)


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_split(place, kind):
    """In files of at most 1 MiB each: as one to efi-img, and put together, to qemu-img."""
    words = ["convert", "-f", "raw", "-O", kind.format, *kind.words, "--split=1M", "disk.img", "x"]
    done = efi_img(place, *words, code=None)
    if done.code != 0:
        assert different("split", kind), done.err
        assert done.err.startswith("efi-img: ")
        return
    efi_img(place, "compare", "-f", kind.format, "-F", "raw", "x", "disk.img")
    whole = place / "whole"
    whole.mkdir()
    for name in {re.sub(r"\.\d\d\d$", "", path.name) for path in place.glob("x*")}:
        parts = [place / name, *sorted(place.glob(f"{name}.???"))]
        (whole / name).write_bytes(b"".join(part.read_bytes() for part in parts))
    qemu_img(place, "compare", "-f", kind.format, "-F", "raw", "whole/x", "disk.img")


@pytest.fixture(scope="session")
def interrupter(tmp_path_factory):
    library = tmp_path_factory.mktemp("interrupt") / "interrupt.so"
    source = Path(__file__).with_name("interrupt.c")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


@pytest.mark.parametrize("how", ["STOP", "KILL"])
@pytest.mark.parametrize("write", [2, 9])
@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_resume(place, interrupter, kind, how, write):
    """Whatever an interrupted job leaves is no image, is refused, and is resumed or made anew."""
    line = ["convert", "-O", kind.format, *kind.words, "serial=DISK", "x"]
    stop = {"LD_PRELOAD": str(interrupter), how: f"/x,{write}", "EFI_IMG_DISKS": DISKS}
    done = efi_img(place, *line, code=None, **stop)
    if done.code == 0:  # it had fewer writes
        assert_contents(place, kind, "x", (place / "disk.img").read_bytes())
        return
    assert efi_img(place, "info", "x", code=None).code != 0
    resumed = efi_img(place, *line, "--resume", code=None, EFI_IMG_DISKS=DISKS)
    if resumed.code != 0:  # there is nothing to be resumed yet
        assert "--resume" in resumed.err or "there is no such journal" in resumed.err
        efi_img(place, *line, "--force", EFI_IMG_DISKS=DISKS)
    assert_contents(place, kind, "x", (place / "disk.img").read_bytes())
    assert_sound(place, kind.format, "x")
    assert not (place / "x.resume").exists()


# ---- what is refused ----


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_no_file_of_the_source_is_written(pair, kind):
    fill(pair, kind)
    (pair.ours / "r").unlink()
    names = sorted(path.name for path in pair.ours.iterdir())
    before = {name: (pair.ours / name).read_bytes() for name in names}
    for name in names:
        for command in (
            ["convert", "-O", "raw", "--force", "x", name],
            ["convert", "-O", kind.format, "--force", "x", name],
            ["convert", "-n", "-O", "raw", "x", name],
            ["convert", "-O", "raw", "--map", name, "--salvage", "x", "new"],
            ["dd", "-O", "raw", "--force", "if=x", f"of={name}"],
            ["create", "-f", "qcow2", "-b", "x", "-F", kind.format, "--force", name],
        ):
            done = Result([EFI_IMG, *command], pair.ours)
            assert done.code != 0 and done.err.startswith("efi-img: "), (command, done.out)
            assert {n: (pair.ours / n).read_bytes() for n in names} == before, command
            assert sorted(path.name for path in pair.ours.iterdir()) == names, command


@pytest.mark.parametrize("kind", **by_name(kinds()))
def test_truncated(pair, kind):
    """Each file of an image, cut at many places: no command crashes, and each says which file."""
    fill(pair, kind)
    (pair.ours / "r").unlink()
    for path in sorted(pair.ours.iterdir()):
        whole = path.read_bytes()
        n = len(whole)
        cuts = {0, 1, 64, 511, 512, 1024, 4096, 65536, n // 3 // 512 * 512, n // 2, n - 512, n - 1}
        for cut in sorted(cut for cut in cuts if 0 <= cut < n):
            path.write_bytes(whole[:cut])
            for command in (
                ["info", "x"],
                ["check", "x"],
                ["map", "x"],
                ["convert", "--force", "-O", "raw", "x", "flat"],
                ["info", "-f", kind.format, "x"],
                ["check", "-f", kind.format, "x"],
                ["convert", "--force", "-f", kind.format, "-O", "raw", "x", "flat"],
            ):
                done = Result([EFI_IMG, *command], pair.ours)
                assert done.code in (0, 1, 2, 3, 63), (command, cut, done.err)
                if done.code == 1:
                    assert done.err.startswith(("efi-img: ", "x: ", "ERROR")), (command, done.err)
            (pair.ours / "flat").unlink(missing_ok=True)
        path.write_bytes(whole)
