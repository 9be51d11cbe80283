# SPDX-License-Identifier: BSD-2-Clause
"""
Images that are not finished, and the journals beside them: what is refused, what is resumed,
and what is never touched.
"""

import re
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from images import MIB, make_outside, qemu_img
from oracle import EFI_IMG, Result

SIZE = 16 * MIB
STOPPED, REFUSED, MISMATCH = 15, 12, 11
DISKS = "disk.img,serial=S:one.img,serial=ONE:two.img,serial=TWO"


@pytest.fixture(scope="session")
def interrupter(tmp_path_factory):
    library = tmp_path_factory.mktemp("interrupt") / "interrupt.so"
    subprocess.run(
        [
            "cc",
            "-shared",
            "-fPIC",
            "-O1",
            "-o",
            library,
            Path(__file__).with_name("interrupt.c"),
            "-ldl",
        ],
        check=True,
    )
    return library


@pytest.fixture
def place(tmp_path, interrupter):
    (tmp_path / "disk.img").write_bytes(random.Random(1).randbytes(SIZE))
    for name in ("one.img", "two.img"):
        with open(tmp_path / name, "wb") as disk:
            disk.truncate(SIZE)
    return tmp_path


def efi_img(place, *words, **environment):
    os.environ.update(EFI_IMG_DISKS=DISKS, **environment)
    try:
        return Result([EFI_IMG, *words], place)
    finally:
        for name in ("EFI_IMG_DISKS", *environment):
            del os.environ[name]


def interrupted(place, interrupter, *words, **when):
    return efi_img(place, *words, LD_PRELOAD=str(interrupter), **when)


def names(place):
    return sorted(path.name for path in place.iterdir())


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


KINDS = {
    "raw": ["-O", "raw"],
    "qcow2": ["-O", "qcow2"],
    "packed": ["-O", "qcow2", "-c"],
    "split": ["-O", "raw", "--split=8M"],
}


@pytest.fixture(params=KINDS)
def half(request, place, interrupter):
    """
    half is a capture that was stopped before half of it was copied; the options
    that it was begun with.
    """
    done = interrupted(
        place,
        interrupter,
        "convert",
        *KINDS[request.param],
        "serial=S",
        "half",
        STOP=f"/half,{7 if request.param == 'split' else 12}",
    )
    assert done.code == STOPPED and "--resume continues from there" in done.err
    return KINDS[request.param]


COMMANDS = [
    "convert half x",
    "convert -f raw half x",
    "convert -n disk.img half",
    "convert disk.img half x",
    "convert -O qcow2 -B half -F raw disk.img x",
    "dd if=half of=x",
    "compare half disk.img",
    "compare disk.img half",
    "hash half",
    "check half",
    "check -r all half",
    "map half",
    "measure half",
    "resize -f raw half 30M",
    "snapshot -l half",
    "snapshot -c s half",
    "bitmap --add half b",
    "amend -f qcow2 -o compat=1.1 half",
    "rebase -b half -F raw over",
    "commit half",
    "bench half",
    "bench -w half",
    "create -f qcow2 -b half -F raw x",
    "convert backed x",
    "compare backed disk.img",
    "info --backing-chain backed",
    "convert with-data x",
    "bench -w with-data",
    "convert -n half serial=ONE --erase=ONE",
    "convert -n --dry-run half serial=ONE",
    "convert -n -f raw half serial=ONE",
    "convert -n --resume half serial=ONE",
    "dd if=half of=serial=ONE",
]


def test_every_command_refuses_it(place, half):
    qemu_img(place, "create", "-q", "-f", "qcow2", "over", "24M")
    qemu_img(place, "create", "-q", "-f", "qcow2", "-u", "-b", "half", "-F", "raw", "backed", "24M")
    make_outside(place, "with-data", "d", "24M")
    (place / "with-data").write_bytes(
        (place / "with-data")
        .read_bytes()
        .replace(b"d\0\0\0\0\0\0\0", b"half\0\0\0\0")
        .replace(b"\x44\x41\x54\x41\0\0\0\1", b"\x44\x41\x54\x41\0\0\0\4")
    )
    before = contents(place)
    for command in COMMANDS:
        done = efi_img(place, *command.split())
        assert done.code != 0 and "half: this disk image is unfinished" in done.err, (
            command + ": " + done.out + done.err
        )
        assert contents(place) == before, command
    done = efi_img(place, "convert", "--resume", *half, "serial=S", "half")
    assert done.code == 0, done.err
    assert efi_img(place, "compare", "half", "serial=S").code == 0
    assert "half.resume" not in names(place)


def test_trial_a1(place, half):
    """Restoring a half capture was taken for a success, and destroyed its journal."""
    journal = (place / "half.resume").read_bytes()
    done = efi_img(place, "convert", "-n", "half", "serial=ONE")
    assert done.code == REFUSED and (place / "one.img").read_bytes() == bytes(SIZE)
    assert (place / "half.resume").read_bytes() == journal
    assert efi_img(place, "convert", *half, "--resume", "serial=S", "half").code == 0


def test_info(place, half):
    done = efi_img(place, "info", "half")
    facts = json.loads((place / "half.resume").read_text())
    command = f"efi-img convert --resume {' '.join(half)} serial=S half".replace(
        "--split=", "--split "
    )
    assert done.code == 1
    assert done.out.splitlines()[1:] == [
        "file format: unfinished",
        f"unfinished: {facts['done'] // MIB} MiB of 16 MiB of serial=S are copied",
        f"resume with: {command}",
    ]
    found = efi_img(place, "info", "--output=json", "half")
    assert found.code == 1 and found.json() == {
        "filename": "half",
        "format": "unfinished",
        "unfinished": {
            "resumes": True,
            "disk": "serial=S",
            "done": facts["done"],
            "virtual-size": SIZE,
            "command": command,
        },
    }
    assert efi_img(place, "info", "--output=json", "--backing-chain", "half").json() == [
        found.json()
    ]
    assert efi_img(place, *command.split()[1:]).code == 0


def test_info_without_its_journal(place, half):
    journal = (place / "half.resume").read_bytes()
    other = journal.replace(b'"id": "', b'"id": "0', 1).replace(b'",', b'",', 1)
    other = other[: other.index(b'"id": "') + 39] + other[other.index(b'"id": "') + 40 :]
    for text, why in (
        (None, "its journal half.resume does not exist"),
        (b"something", "half.resume is no journal"),
        (other, "is the journal of another copy"),
        (journal[:300], "it is not JSON"),
        (journal.replace(b'version": 2', b'version": 1'), "an older efi-img has written"),
    ):
        (place / "half.resume").unlink(missing_ok=True)
        if text is not None:
            (place / "half.resume").write_bytes(text)
        for style in ("human", "json"):
            done = efi_img(place, "info", f"--output={style}", "half")
            assert done.code == 1 and why in done.out, done.out + done.err
        assert "unfinished" in efi_img(place, "convert", "half", "x").err
    (place / "half.resume").unlink()
    done = efi_img(place, "convert", *half, "--resume", "serial=S", "half")
    assert (
        done.code == 1 and "there is no such journal" in done.err and "exists already" in done.err
    )


def test_nothing_else_takes_it_for_something(place, half):
    found = Result(["qemu-img", "info", "--output=json", "half"], place).json()
    assert found["format"] == "raw"  # as qemu-img calls everything that it does not know
    assert (place / "half").read_bytes()[:40] == b"efi-img: this disk image is not finished"
    done = Result(["/sbin/blkid", "-p", "half"], place)
    assert (done.code, done.out) == (2, ""), done.out


@pytest.mark.parametrize(
    "command, file",
    [
        ("create -f qcow2 half 64M", "half"),
        ("create -f raw -o preallocation=full half 8M", "half"),
        ("create --split=2M -f raw -o preallocation=full half 8M", "half"),
        ("convert -O qcow2 disk.img half", "half"),
        ("convert disk.img half", "half"),
        ("dd if=disk.img of=half", "half"),
    ],
)
def test_every_new_image_carries_the_mark(place, interrupter, command, file):
    """Killed at any write, it is empty, or has the mark, or is complete."""
    for n in range(1, 100):
        done = interrupted(place, interrupter, *command.split(), KILL=f"/{file},{n}")
        if done.code == 0:
            break
        beginning = (place / file).read_bytes()[:512]
        if beginning != b"":
            assert (
                beginning.startswith(b"efi-img: this disk image is not finished\n")
                and len(beginning) == 512
            )
            assert "this disk image is unfinished" in efi_img(place, "check", file).err
            assert "it cannot be completed" in efi_img(place, "info", file).out
        for path in place.glob("half*"):
            path.unlink()
    assert n > 3 and efi_img(place, "info", file).code == 0


def test_restores_onto_two_disks(place, interrupter, half):
    """
    One image is restored onto two disks, while its capture is not finished: three journals,
    each of which resumes.
    """
    image = random.Random(2).randbytes(SIZE)
    (place / "pc.img").write_bytes(image)
    for disk in ("one", "two"):
        done = interrupted(
            place,
            interrupter,
            "convert",
            "-n",
            "--no-table",
            "-f",
            "raw",
            "pc.img",
            f"serial={disk.upper()}",
            STOP=f"/{disk}.img,8",
        )
        assert done.code == STOPPED and "--resume continues from there" in done.err, done.err
    (place / "pc.img.resume").write_bytes((place / "half.resume").read_bytes())
    journals = [name for name in names(place) if "re" in name.split(".")[-1]]
    assert (
        len(journals) == 4
        and len([name for name in journals if name.startswith("pc.img.restore-")]) == 2
    ), journals
    for disk in ("two", "one"):
        done = efi_img(
            place,
            "convert",
            "-n",
            "--no-table",
            "-f",
            "raw",
            "--resume",
            "pc.img",
            f"serial={disk.upper()}",
            f"--erase={disk.upper()}",
        )
        assert done.code == 0 and "no such journal" not in done.err, done.err
        assert (place / f"{disk}.img").read_bytes() == image
    assert [name for name in names(place) if name.startswith("pc.img.")] == ["pc.img.resume"]


# ---- foreign files with the names of journals (adversary 3) ----


@pytest.mark.parametrize(
    "text",
    [
        b"precious\n",
        b"\0precious",
        bytes(513),
        b"\0" * 511 + b"x",
        b"efi-img: this disk image is not finished\nid " + b"0" * 32 + b"\n" * 500,
        b"{ }",
    ],
    ids=["text", "nul", "zeros", "end", "image", "json"],
)
@pytest.mark.parametrize("ending", ["", ".new"])
def test_adversary_3(place, text, ending):
    """
    A foreign file that is called like a journal, or like its side file, is neither written over
    nor removed, not even with --force.
    """
    (place / "pc.img").write_bytes(bytes(MIB))
    restore = "pc.img.restore-" + "208b999a"
    for name, words in (
        ("out.resume", ["convert", "-O", "qcow2", "serial=S", "out"]),
        ("out.resume", ["convert", "--force", "serial=S", "out"]),
        (restore, ["convert", "-n", "--no-table", "-f", "raw", "pc.img", "serial=ONE"]),
    ):
        (place / (name + ending)).write_bytes(text)
        before = contents(place)
        for more in ([], ["--resume"]):
            done = efi_img(
                place,
                words[0],
                *[word for word in words[1:] if word != "--force" or not more],
                *more,
            )
            assert (
                done.code == 1
                and name + ending in done.err
                and re.search("this is another file|the file is not a journal", done.err)
            ), done.err
            assert contents(place) == before
        (place / (name + ending)).unlink()


@pytest.mark.parametrize("text", [b"", bytes(512), bytes(3)], ids=["empty", "sector", "short"])
@pytest.mark.parametrize("ending", ["", ".new"])
def test_a_file_without_anything_in_it_is_no_hindrance(place, text, ending):
    (place / ("out.resume" + ending)).write_bytes(text)
    assert efi_img(place, "convert", "serial=S", "out").code == 0
    assert names(place) == ["disk.img", "one.img", "out", "two.img"]


def test_a_journal_of_an_image_that_is_gone(place, half):
    """
    It is the only way to complete that image, should it be elsewhere: it is not
    replaced by the way.
    """
    journal = (place / "half.resume").read_bytes()
    (place / "half").rename(place / "moved")
    for words in ([], ["--resume"]):
        done = efi_img(place, "convert", *half, *words, "serial=S", "half")
        assert done.code != 0 and (place / "half.resume").read_bytes() == journal, done.err
        assert not (place / "half").exists()
    done = efi_img(place, "convert", *half, "--force", "serial=S", "half")
    assert done.code == 0 and not (place / "half.resume").exists(), done.err


# ---- what --resume finds to be something else (adversary 11) ----


@pytest.fixture
def ext4(place):
    with open(place / "other.img", "wb") as file:
        file.truncate(SIZE)
    subprocess.run(["/sbin/mkfs.ext4", "-qF", place / "other.img"], check=True)
    return (place / "other.img").read_bytes()


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    "how, at", [("STOP", None), ("KILL", 4)], ids=["checkpoint", "nothing-done"]
)
def test_adversary_11(place, interrupter, ext4, options, how, at):
    """
    A complete image that somebody has put there is not cut, repaired or replaced: not even one
    that begins with zeros.
    """
    assert ext4[:512] == bytes(512)
    at = at or (7 if "--split=8M" in options else 12)
    done = interrupted(
        place, interrupter, "convert", *options, "serial=S", "out", **{how: f"/out,{at}"}
    )
    assert done.code == (STOPPED if how == "STOP" else -9)
    assert (json.loads((place / "out.resume").read_text())["done"] > 0) == (how == "STOP")
    (place / "out").write_bytes(ext4)
    before = contents(place)
    done = efi_img(place, "convert", *options, "--resume", "serial=S", "out")
    assert (
        done.code == 1 and "this is not the unfinished image of the journal" in done.err
    ), done.err
    assert contents(place) == before


def test_a_disk_with_an_unfinished_image_on_it(place, half):
    """
    Another program has copied one there. It is a disk with something on it, but no raw image
    could be told from an unfinished one.
    """
    with open(place / "one.img", "r+b") as disk:
        disk.write((place / "half").read_bytes())
    for words in (["convert", "serial=ONE", "x"], ["dd", "if=serial=ONE", "of=x"]):
        done = efi_img(place, *words)
        assert (
            done.code == REFUSED and "use -O qcow2" in done.err and not (place / "x").exists()
        ), done.err
    assert efi_img(place, "convert", "-O", "qcow2", "serial=ONE", "x").code == 0
    assert efi_img(place, "compare", "x", "serial=ONE").code == 0
    assert efi_img(place, "convert", "-n", "x", "serial=TWO").code == 0
    assert (place / "two.img").read_bytes() == (place / "one.img").read_bytes()


def test_an_unfinished_image_of_another_copy(place, interrupter):
    for name in ("a", "b"):
        assert (
            interrupted(place, interrupter, "convert", "serial=S", name, STOP=f"/{name},10").code
            == STOPPED
        )
    (place / "a").rename(place / "c")
    (place / "b").rename(place / "a")
    before = contents(place)
    done = efi_img(place, "convert", "--resume", "serial=S", "a")
    assert done.code == 1 and "the unfinished image of another copy" in done.err
    assert contents(place) == before


def test_a_disk_that_is_used_again(place, interrupter):
    """
    Of a disk with other contents by now, not even the first MiB is wiped before that is found.
    """
    (place / "pc.img").write_bytes(random.Random(2).randbytes(SIZE))
    restore = ["convert", "-n", "--no-table", "-f", "raw", "pc.img", "serial=ONE"]
    assert interrupted(place, interrupter, *restore, STOP="/one.img,8").code == STOPPED
    (place / "one.img").write_bytes(random.Random(3).randbytes(SIZE))
    before = contents(place)
    done = efi_img(place, *restore, "--resume", "--erase=ONE")
    assert done.code == MISMATCH and "Nothing was written to serial=ONE" in done.err, done.err
    assert contents(place) == before


def test_the_journal_of_an_older_version(place, half):
    journal = (place / "half.resume").read_text()
    (place / "half.resume").write_text(journal.replace('version": 2', 'version": 1'))
    before = contents(place)
    done = efi_img(place, "convert", *half, "--resume", "serial=S", "half")
    assert (
        done.code == 1 and "an older efi-img has written this journal (version 1" in done.err
    ), done.err
    assert contents(place) == before


# ---- journals that could not resume ----


def test_options_that_are_too_long(place):
    """They were cut in the journal, and so never the same again."""
    options = ["-O", "qcow2", "-o", ",".join(["cluster_size=64k"] * 40)]
    done = efi_img(place, "convert", *options, "serial=S", "out")
    assert done.code == 0 and "without a journal, the copy cannot be resumed" in done.err
    done = efi_img(place, "convert", "--resume", *options, "serial=S", "new")
    assert done.code == 1 and "too long for a journal" in done.err and not (place / "new").exists()


def test_names_that_are_too_long(place):
    """
    An image whose journal the file system would not take is refused before anything is written.
    """
    before = names(place)
    done = efi_img(place, "convert", "serial=S", "a" * 250)
    assert done.code != 0 and ".resume" in done.err, done.err
    assert names(place) == before


def test_a_volume_that_only_the_image_fits_on(place, interrupter):
    """
    What is not promised: a job that has no journal ends without a word of --resume,
    and leaves nothing.
    """
    (place / "out.resume.new").mkdir()
    done = interrupted(place, interrupter, "convert", "serial=S", "out", STOP="/out,10")
    assert done.code != 0 and "--resume" not in done.err, done.err
    assert not (place / "out").exists()


def test_capture_and_convert_continue_each_other(place, interrupter):
    """Their journals are the same; a manifest is written by the one that completes the image."""
    convert = ["convert", "-c", "-O", "qcow2"]
    for begun, continued in ((["capture"], convert), (convert, ["capture"])):
        done = interrupted(place, interrupter, *begun, "serial=S", "half", STOP="/half,12")
        assert done.code == STOPPED, done.err
        done = efi_img(place, *continued, "--resume", "serial=S", "half")
        assert done.code == 0 and "verified" in done.out, done.err
        assert (place / "half.manifest").exists() == (continued == ["capture"])
        (place / "half").unlink()
    assert efi_img(place, "hash", "--check=half.manifest", "serial=S").code == 0


def test_records_of_the_image_that_was_replaced(place, interrupter):
    """They go with it, so that --resume, which has no --force, writes the new ones."""
    capture = ("capture", "--format=raw", "--bmap", "serial=S", "t")
    assert efi_img(place, *capture).code == 0
    assert {"t", "t.bmap", "t.manifest"} < set(names(place))
    (place / "disk.img").write_bytes(random.Random(2).randbytes(SIZE))
    done = interrupted(place, interrupter, *capture, "--force", STOP="/t,12")
    assert done.code == STOPPED and not {"t.bmap", "t.manifest"} & set(names(place)), done.err
    done = efi_img(place, *capture, "--resume")
    assert done.code == 0, done.err
    assert efi_img(place, "hash", "--check=t.manifest").code == 0
    assert {"t", "t.bmap", "t.manifest"} < set(names(place))
