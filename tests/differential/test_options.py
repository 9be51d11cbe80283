# SPDX-License-Identifier: BSD-2-Clause
"""
Every option of every command of qemu-img 7.2 and what became of it here, beside qemu-img; and
every option that efi-img has.
"""

import re
import shutil

import pytest

from images import MIB, make_outside, qemu_img, qemu_io
from option_table import OPTIONS
from oracle import Result, EFI_IMG
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path


# What others test.
ELSEWHERE = {"amend", "bitmap", "bench"}
TO_DISK = {"erase", "no-table", "truncated", "no-verify", "dry-run", "output"}
OF_DISKS = TO_DISK | {"gpt", "manifest", "bmap", "map", "resume", "used"}
ELSEWHERE_OPTIONS = {
    "convert": {"bitmaps", "skip-broken-bitmaps", "split"} | OF_DISKS,
    "create": {"split", "dry-run", "output"},
    "dd": TO_DISK,
    "check": {"r", "repair"},
    "info": {"b", "page"},
    "map": {"b", "page", "picture", "svg", "map", "manifest"},  # and test_picture.py
    "measure": {"all"},  # and test_used.py
}

# What the help of qemu-img 10 names and the table has not: words that are no options of qemu-img 10
# either, and --output-format, which is -O there and --target-format here.
ONLY_IN_NEWER_HELP = {
    "check": {"u"},
    "convert": {"source-snapshot", "target-options", "output-format"},
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    qemu_img(folder, "create", "-q", "-f", "qcow2", "base.qcow2", "4M")
    qemu_img(folder, "create", "-q", "-f", "qcow2", "a.qcow2", "4M")
    qemu_io(folder, "a.qcow2", "write -P 1 64k 200k", "write -P 2 3M 64k")
    qemu_img(folder, "snapshot", "-c", "first", "a.qcow2")
    qemu_img(folder, "convert", "-O", "raw", "a.qcow2", "a.raw")
    qemu_img(folder, "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", "over.qcow2")
    qemu_io(folder, "over.qcow2", "write -P 3 1M 64k")
    return folder


def both(prepared, folder, words):
    results = []
    for name, program in (("ours", EFI_IMG), ("theirs", "qemu-img")):
        shutil.copytree(prepared, folder / name)
        results.append(Result([program, *words], folder / name))
    return results


def judge(ours, theirs, option, expected):
    what = f"{ours.args}: {ours.code} {ours.err}; qemu-img: {theirs.code} {theirs.err}"
    if isinstance(expected, int):
        assert (ours.code, theirs.code) == (expected, expected), what
    elif expected == "cache":
        assert ours.code == 0 and (
            theirs.code == 0 or option[1] in ("none", "off", "directsync")
        ), what
    elif expected == "help":
        assert ours.code == theirs.code == 0 and ours.out and theirs.out, what
    elif expected == "ours" or isinstance(expected, tuple):
        assert ours.code == (0 if expected == "ours" else expected[1]), what
    else:
        name = re.search(
            r"[a-z_-]+", option[-1] if "-o" in option else option[0].lstrip("-").split("=")[0]
        ).group()
        assert ours.code == 1 and name in ours.err and expected in ours.err, what
    assert (
        ours.err.startswith("efi-img: ") if ours.code != 0 and not ours.out else ours.err == ""
    ), what


@pytest.mark.parametrize(
    "command,option,expected",
    [
        pytest.param(command, option, expected, id=" ".join([command, *option]))
        for command, (_, options) in OPTIONS.items()
        for option, expected in options
    ],
)
def test_option(prepared, tmp_path, command, option, expected):
    ours, theirs = both(
        prepared,
        tmp_path,
        [*command.split(), *option, *OPTIONS[command][0]]
        if command != "rebase"
        else [command, *OPTIONS[command][0][:-1], *option, OPTIONS[command][0][-1]],
    )
    judge(ours, theirs, option, expected)
    for name in ("new", "a.qcow2", "over.qcow2", "base.qcow2"):
        path = tmp_path / "ours" / name
        if ours.code == 0 and path.exists() and path.read_bytes()[:4] == b"QFI\xfb":
            info = Result(["qemu-img", "info", "--output=json", name], tmp_path / "ours").json()
            if info.get("backing-filename") != "none":
                assert Result(["qemu-img", "check", name], tmp_path / "ours").code == 0


@pytest.mark.parametrize("value", ["a,,b", "a,,help", "a,,?", "help,,a", "a,,help,,b", ",,help"])
def test_two_commas_are_one_of_the_value(tmp_path, value):
    """A request for help is a member of the list, not the end of another one's value."""
    said = []
    for tool in (EFI_IMG, "qemu-img"):
        options = f"backing_file={value},backing_fmt=raw"
        made = Result([tool, "create", "-f", "qcow2", "-u", "-o", options, "a", "1M"], tmp_path)
        assert made.code == 0, made.out + made.err
        said.append(made.out)
        info = Result(["qemu-img", "info", "--output=json", "a"], tmp_path).json()
        assert info["backing-filename"] == value.replace(",,", ",")
        (tmp_path / "a").unlink()
    assert said[0] == said[1] and f"backing_file={value} " in said[0]


@pytest.mark.parametrize("words", [("-T", "file=trace"), ("--trace", "enable=x"), ("-T", "")])
def test_trace_before_the_command(tmp_path, words):
    (tmp_path / "a").write_bytes(bytes(1024))
    ours, theirs = (
        Result([tool, *words, "measure", "-f", "raw", "-O", "qcow2", "a"], tmp_path)
        for tool in (EFI_IMG, "qemu-img")
    )
    assert (ours.code, ours.out) == (0, theirs.out)
    assert Result([EFI_IMG, *words], tmp_path).code == 1


@pytest.mark.parametrize("size", ["1024.0", "1024.0b", "1024.", "1024.5", "1024.01b", "0x400.0"])
def test_fraction_of_a_byte(tmp_path, size):
    ours, theirs = (
        Result([tool, "create", "-q", "-f", "raw", str(tool == EFI_IMG), size], tmp_path)
        for tool in (EFI_IMG, "qemu-img")
    )
    assert ours.code == theirs.code, ours.err + theirs.err


def test_formats_of_qemu_alone(tmp_path):
    """QEMU's driver of a device is none of an image; `host_device` would be stored as that."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    before = (tmp_path / "a").read_bytes()
    refused = Result([EFI_IMG, "rebase", "-u", "-b", "b", "-F", "host_device", "a"], tmp_path)
    assert refused.code == 1 and "host_device" in refused.err
    assert (tmp_path / "a").read_bytes() == before


def tried(command):
    """Letters and long names, of options with their values and without."""
    words = [
        word
        for name, (_, options) in OPTIONS.items()
        if name.split()[0] == command
        for option, _ in options
        for word in option
    ]
    words += [
        word
        for name, (needed, _) in OPTIONS.items()
        if name.split()[0] == command
        for word in needed + name.split()
    ]
    return {
        re.match(r"-([a-zA-Z])$|--([a-z-]+)", word).group().lstrip("-")
        for word in words
        if re.match(r"-[a-zA-Z]$|--[a-z]", word)
    }


def usages():
    """qemu-img's commands, and where the options of each are; a newer one has a help for each."""
    text = Result(["qemu-img", "--help"], ".").out
    if is_newer_than_7_2():
        return [
            (command, Result(["qemu-img", command, "--help"], ".").out)
            for command in re.findall(r"^  ([a-z]+) - ", text, re.M)
        ]
    return re.findall(
        r"^  ([a-z]+) (.*\[?-.*)$",
        text[text.index("Command syntax:") : text.index("Command parameters:")],
        re.M,
    )


def test_nothing_of_qemu_img_is_left_out():
    lines = usages()
    assert len(lines) == 15
    for command, usage in lines:
        if command not in ELSEWHERE:
            options = {
                option.lstrip("-") for option in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", usage)
            }
            if is_newer_than_7_2():
                options -= ONLY_IN_NEWER_HELP.get(command, set())
            assert options - ELSEWHERE_OPTIONS.get(command, set()) <= tried(command), command


def test_nothing_of_ours_is_left_out():
    for command in {name.split()[0] for name in OPTIONS}:
        text = Result([EFI_IMG, "help", command], ".").out
        for line in re.findall(r"^  (?: {4}|-)\S.*$", text, re.M):
            for option in re.findall(
                r"(?<![\w-])--?([a-zA-Z][a-z-]*)",
                line[:24]
                if len(line) > 24 and line[23] == " "
                else line.split("  ")[1]
                if line.startswith("  -")
                else line,
            ):
                assert option in tried(command) | ELSEWHERE_OPTIONS.get(command, set()), (
                    command,
                    option,
                )


def test_backing_file_of_several_sources(prepared, tmp_path):
    """It would show in the places of one source what was left out of another."""
    for options in (
        ["-B", "base.qcow2", "-F", "qcow2"],
        ["-o", "backing_file=base.qcow2,backing_fmt=qcow2"],
    ):
        shutil.rmtree(tmp_path / "ours", True)
        shutil.rmtree(tmp_path / "theirs", True)
        ours, theirs = both(
            prepared, tmp_path, ["convert", "-O", "qcow2", *options, "a.qcow2", "over.qcow2", "new"]
        )
        assert (
            ours.code == theirs.code == 1
            and "needs a single source" in ours.err
            and not (tmp_path / "ours" / "new").exists()
        )


def test_compressed_with_data_file(prepared, tmp_path):
    """There is no such thing: nothing is made, and nothing overwritten."""
    shutil.copytree(prepared, tmp_path / "ours")
    (tmp_path / "ours" / "d").write_bytes(b"keep")
    made = Result(
        [EFI_IMG, "convert", "--force", "-c", "-O", "qcow2", "-o", "data_file=d", "a.qcow2", "new"],
        tmp_path / "ours",
    )
    assert (
        made.code == 1
        and "data_file" in made.err
        and (tmp_path / "ours" / "d").read_bytes() == b"keep"
    )
    make_outside(tmp_path / "ours", "t.qcow2", "d", "4M")
    before = (tmp_path / "ours" / "t.qcow2").read_bytes()
    made = Result(
        [EFI_IMG, "convert", "-n", "-c", "-O", "qcow2", "a.qcow2", "t.qcow2"], tmp_path / "ours"
    )
    assert (
        made.code == 1
        and "data file" in made.err
        and (tmp_path / "ours" / "t.qcow2").read_bytes() == before
    )


def test_target_that_is_zero(prepared, tmp_path):
    """With a backing file it is not: what would show is not what the source has there."""
    shutil.copytree(prepared, tmp_path / "ours")
    for options, code in ((["-b", "a.qcow2", "-F", "qcow2"], 1), ([], 0)):
        qemu_img(tmp_path / "ours", "create", "-q", "-f", "qcow2", *options, "t.qcow2", "4M")
        made = Result(
            [EFI_IMG, "convert", "-n", "--target-is-zero", "-O", "qcow2", "base.qcow2", "t.qcow2"],
            tmp_path / "ours",
        )
        assert made.code == code and ("backing file" in made.err) == (code == 1)
    assert Result(["qemu-img", "compare", "base.qcow2", "t.qcow2"], tmp_path / "ours").code == 0


def test_sources_of_different_formats(prepared, tmp_path):
    both(prepared, tmp_path, ["info", "a.qcow2"])
    for side, program in (("ours", EFI_IMG), ("theirs", "qemu-img")):
        qemu_img(tmp_path / side, "create", "-q", "-f", "raw", "odd.raw", str(MIB + 512))
        qemu_io(tmp_path / side, "odd.raw", "write -P 7 1M 512", options=("-f", "raw"))
        assert (
            Result(
                [program, "convert", "-O", "qcow2", "a.qcow2", "odd.raw", "over.qcow2", "new"],
                tmp_path / side,
            ).code
            == 0
        )
    same = Result(
        ["qemu-img", "compare", tmp_path / "ours" / "new", tmp_path / "theirs" / "new"], tmp_path
    )
    assert same.code == 0 and "identical" in same.out


@pytest.mark.parametrize(
    "words,said",
    [
        ("list -v", "everything is printed without it"),
        ("list --json", "have --output=json"),
        ("snapshot -l --output json a", "'info --output=json' has the snapshots"),
        ("hash -a md5 a", "only sha256 is supported"),
        ("mv a b", "did you mean rename?"),
        ("rm a", "did you mean remove?"),
        ("sha256sum a", "did you mean hash?"),
        ("info /dev/sda", "efi-img list shows their names"),
    ],
)
def test_words_of_other_programs(tmp_path, words, said):
    """They are answered with what there is instead."""
    done = Result([EFI_IMG, *words.split()], tmp_path)
    assert done.code == 1 and said in done.err, done.err
    assert not list(tmp_path.iterdir())
