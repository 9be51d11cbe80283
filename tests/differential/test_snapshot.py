# SPDX-License-Identifier: BSD-2-Clause
"""
`snapshot`, and `convert -l`, beside qemu-img: random programs on two copies, one with efi-img's
snapshots, the other with qemu-img's.
"""

import json
import random

import pytest

from images import MIB, qemu_img, qemu_io, random_writes
from oracle import EFI_IMG, Pair, Result

LAYOUTS = [
    "",
    "cluster_size=512",
    "cluster_size=4k",
    "cluster_size=2M",
    "refcount_bits=1",
    "refcount_bits=2",
    "refcount_bits=4,cluster_size=8k",
    "refcount_bits=64",
    "refcount_bits=8,cluster_size=512",
    "extended_l2=on",
    "extended_l2=on,cluster_size=16k,refcount_bits=32",
    "compat=0.10",
    "compat=0.10,cluster_size=1k",
    "lazy_refcounts=on",
    "preallocation=metadata",
    "compression_type=zstd",
]
SIZE = 3 * MIB


def efi_img(folder, *args):
    return Result([EFI_IMG, *args], folder)


def list_snapshots(folder, name="a"):
    info = Result(["qemu-img", "info", "--output=json", "-U", name], folder).json()
    return info.get("snapshots", []), info["virtual-size"]


def without_dates(folder, name="a"):
    info = Result(["qemu-img", "info", "--output=json", name], folder).json()
    info.pop("actual-size")
    for snapshot in info.get("snapshots", []):
        snapshot.pop("date-sec")
        snapshot.pop("date-nsec")
    return info


def assert_sound(folder, name="a"):
    check = Result(["qemu-img", "check", "--output=json", name], folder)
    assert check.code == 0 and check.err == "", check.out + check.err


def disk(folder, program, *options):
    done = Result([program, "convert", *options, "-O", "raw", "a", "out"], folder)
    assert done.code == 0, done.err
    data = (folder / "out").read_bytes()
    (folder / "out").unlink()
    return data


def assert_alike(pair):
    """
    The disk of now, every snapshot's, and all that is said of them; efi-img reads both images,
    and qemu-img does.
    """
    assert_sound(pair.ours)
    assert without_dates(pair.ours) == without_dates(pair.theirs)
    assert disk(pair.ours, "qemu-img") == disk(pair.theirs, "qemu-img") == disk(pair.ours, EFI_IMG)
    for snapshot in list_snapshots(pair.ours)[0]:
        which = ("-l", f"snapshot.id={snapshot['id']}")
        a, b = disk(pair.ours, EFI_IMG, *which), disk(pair.theirs, EFI_IMG, *which)
        assert a == b
        # qemu-img 7.2 gives it the size of the disk of now
        c, d = disk(pair.ours, "qemu-img", *which), disk(pair.theirs, "qemu-img", *which)
        n = min(len(a), len(c))
        assert c == d and a[:n] == c[:n]


def both(pair, *args):
    before = (pair.ours / "a").read_bytes()
    ours, theirs = pair.run("snapshot", *args)
    assert ours.code == theirs.code, (args, ours.err, theirs.err)
    assert ours.out == ""
    if ours.code != 0:
        # Nothing has changed. qemu-img changes the disk's size before it finds out that a refcount
        # is at its end.
        assert (pair.ours / "a").read_bytes()[: len(before)] == before
        (pair.theirs / "a").write_bytes(before)
    return ours.code


def step(pair, dice, resizable):
    snapshots, size = list_snapshots(pair.ours)
    names = [s["name"] for s in snapshots]
    action = dice.choice(["-c", "-c", "-a", "-a", "-d", "write", "write", "write", "resize"])
    if action == "write":
        commands = list(random_writes(dice.randrange(1 << 30), size))[: dice.randrange(1, 8)]
        for folder in (pair.ours, pair.theirs):
            qemu_io(folder, "a", *commands)
    elif action == "resize" and resizable:
        size = dice.choice([1, 3, 4, 6]) * MIB + dice.choice([0, 512, 70 * 512])
        pair.qemu_both("resize", "-q", "--shrink", "a", str(size))
    elif action == "-c":
        both(
            pair, "-c", dice.choice(["one", "two", "three", "2", "x" * dice.randrange(1, 255)]), "a"
        )
    elif action == "-a":
        both(pair, "-a", dice.choice(names + [s["id"] for s in snapshots] + ["none"]), "a")
    elif action == "-d":
        both(pair, "-d", dice.choice(names + ["none", "1"]), "a")


@pytest.mark.enumeration(3)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_programs(tmp_path, layout, seed):
    pair = Pair(tmp_path)
    dice = random.Random(f"{layout} {seed}")
    options = ["-o", layout] if layout else []
    backing = seed == 2 and "preallocation" not in layout
    if backing:
        qemu_img(pair.ours, "create", "-q", "-f", "raw", "base", "2M")
        qemu_io(pair.ours, "base", "write -P 77 4k 1900k", options=("-f", "raw"))
        (pair.theirs / "base").write_bytes((pair.ours / "base").read_bytes())
        options += ["-b", "base", "-F", "raw"]
    pair.qemu_both("create", "-q", "-f", "qcow2", *options, "a", str(SIZE))
    compressed = seed == 1 and "2M" not in layout and "preallocation" not in layout
    for folder in (pair.ours, pair.theirs):
        qemu_io(folder, "a", *random_writes(seed, SIZE, compressed=compressed))
    for i in range(18):
        step(pair, dice, resizable="0.10" not in layout)
        if i % 6 == 5:
            assert_alike(pair)
    # and everything given up again
    for snapshot in list_snapshots(pair.ours)[0]:
        assert both(pair, "-d", snapshot["name"], "a") == 0
    assert_alike(pair)
    assert list_snapshots(pair.ours)[0] == []


@pytest.mark.parametrize(
    "layout", ["", "cluster_size=512", "extended_l2=on", "refcount_bits=2", "compat=0.10"]
)
def test_written_by_efi_img_between(tmp_path, layout):
    """
    efi-img's own writes to a disk that shares clusters with snapshots, compressed ones among them.
    """
    a, expected = tmp_path / "a", {}
    qemu_img(
        tmp_path, "create", "-q", "-f", "qcow2", *(["-o", layout] if layout else []), "a", str(SIZE)
    )
    for i in range(3):
        dice = random.Random(i)
        content = b"".join(
            dice.choice([bytes(4096), dice.randbytes(4096), bytes([i + 1]) * 4096])
            for _ in range(SIZE // 4096)
        )
        (tmp_path / "s.raw").write_bytes(content)
        for args in (["-c"] if i % 2 else [], []):
            done = efi_img(
                tmp_path, "convert", "-n", "-f", "raw", "-O", "qcow2", *args, "s.raw", "a"
            )
            assert done.code == 0, done.err
        made = efi_img(tmp_path, "snapshot", "-c", f"s{i}", "a")
        assert made.code == 0, made.err
        expected[f"s{i}"] = content
        assert_sound(tmp_path)
    for name, content in expected.items():
        assert disk(tmp_path, "qemu-img", "-l", name) == content
    assert efi_img(tmp_path, "snapshot", "-a", "s0", "a").code == 0
    assert disk(tmp_path, "qemu-img") == expected["s0"]
    assert_sound(tmp_path)
    for name in ("s1", "s0", "s2"):
        assert efi_img(tmp_path, "snapshot", "-d", name, "a").code == 0
        assert_sound(tmp_path)
    assert disk(tmp_path, "qemu-img") == expected["s0"]
    assert a.stat().st_size < 40 * MIB


def test_list(tmp_path):
    pair = Pair(tmp_path)
    pair.qemu_both("create", "-q", "-f", "qcow2", "a", "1M")
    pair.qemu_both("create", "-q", "-f", "raw", "r", "1M")
    for args in (["-l", "a"], ["-l", "r"], ["-q", "-l", "a"]):
        ours, theirs = pair.run("snapshot", *args)
        assert (ours.code, ours.out) == (theirs.code, theirs.out) == (0, "")
    for name in ("a", "a name with blanks", "\u00e4\u00f6\u00fc", "long " * 12):
        qemu_img(pair.ours, "snapshot", "-c", name, "a")
    done = Result(["qemu-img", "snapshot", "-l", "a"], pair.ours)
    for args in (["-l", "a"], ["a"], ["-U", "a"], ["-f", "qcow2", "--list", "a"]):
        assert efi_img(pair.ours, "snapshot", *args).out == done.out


def test_ids_before_names(tmp_path):
    """A snapshot whose name is another one's id: -a means the id, -d the name."""
    pair = Pair(tmp_path)
    pair.qemu_both("create", "-q", "-f", "qcow2", "a", "1M")
    for name in ("2", "1", "x"):
        assert both(pair, "-c", name, "a") == 0
        for folder in (pair.ours, pair.theirs):
            qemu_io(folder, "a", f"write -P {len(name) + ord(name[0])} 0 1M")
    for args in (
        ["-a", "2"],
        ["-d", "2"],
        ["-a", "1"],
        ["-d", "1"],
        ["-d", "3"],
        ["-a", "3"],
        ["-d", "x"],
        ["-c", "again"],
    ):
        both(pair, *args, "a")
        assert_alike(pair)


def test_vm_state_is_carried(tmp_path):
    """
    The state of a machine, as qemu-io can write it behind the disk, is there after other
    snapshots came and went.
    """
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "a", "1M")
    qemu_io(tmp_path, "a", "write -P 1 0 1M", "write -b -P 66 0 300k")
    for args in (
        ["-c", "with"],
        ["-c", "other"],
        ["-d", "other"],
        ["-a", "with"],
        ["-c", "third"],
        ["-d", "with"],
        ["-a", "third"],
    ):
        done = efi_img(tmp_path, "snapshot", *args, "a")
        assert done.code == 0, done.err
        assert_sound(tmp_path)
        qemu_io(tmp_path, "a", "read -b -P 66 0 300k", "read -P 1 0 1M")
    assert disk(tmp_path, EFI_IMG, "-l", "third") == b"\1" * MIB


def test_refcounts_run_out(tmp_path):
    """What cannot be counted is found out before anything is changed."""
    for bits, possible in ((1, 0), (2, 2), (4, 14)):
        qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-o", f"refcount_bits={bits}", "a", "1M")
        qemu_io(tmp_path, "a", "write -P 1 0 1M")
        for _ in range(possible):
            assert efi_img(tmp_path, "snapshot", "-c", "s", "a").code == 0
        before = (tmp_path / "a").read_bytes()
        done = efi_img(tmp_path, "snapshot", "-c", "s", "a")
        assert done.code == 1 and f"refcounts of {bits} bits" in done.err
        if possible:
            assert efi_img(tmp_path, "snapshot", "-a", "s", "a").code == 1
            assert Result(["qemu-img", "snapshot", "-a", "s", "a"], tmp_path).code == 1
        assert (tmp_path / "a").read_bytes()[: len(before)] == before
        assert_sound(tmp_path)


def test_many(tmp_path):
    pair = Pair(tmp_path)
    pair.qemu_both("create", "-q", "-f", "qcow2", "-o", "cluster_size=512", "a", "64k")
    for i in range(60):
        assert both(pair, "-c", f"snapshot number {i} " + "x" * 100, "a") == 0
    assert_alike(pair)
    for i in list(range(0, 60, 3)) + list(range(1, 60, 3)):
        assert both(pair, "-d", f"snapshot number {i} " + "x" * 100, "a") == 0
    assert_alike(pair)


@pytest.mark.parametrize(
    "args",
    [
        ("-c", "x", "r"),
        ("-a", "x", "r"),
        ("-d", "x", "r"),
        ("-a", "none", "a"),
        ("-d", "none", "a"),
        ("-d", "1", "a"),
        ("-c", "x", "none"),
        (),
        ("-c", "a"),
        ("-c", "x", "-l", "a"),
        ("-c", "x", "-c", "y", "a"),
        ("-a", "s", "-d", "s", "a"),
        ("-l", "a", "a"),
        ("-x", "a"),
        ("-c", "x", "d"),
        ("-c", "x", "corrupt"),
    ],
)
def test_refused(tmp_path, args):
    pair = Pair(tmp_path)
    pair.qemu_both("create", "-q", "-f", "qcow2", "a", "1M")
    pair.qemu_both("snapshot", "-c", "s", "a")
    pair.qemu_both("create", "-q", "-f", "raw", "r", "1M")
    pair.qemu_both("create", "-q", "-f", "qcow2", "-o", "data_file=d.raw", "d", "1M")
    pair.qemu_both("create", "-q", "-f", "qcow2", "corrupt", "1M")
    for folder in (pair.ours, pair.theirs):
        with open(folder / "corrupt", "r+b") as file:
            file.seek(79)
            file.write(b"\2")
    before = {p.name: p.read_bytes() for p in pair.ours.iterdir()}
    ours, theirs = pair.run("snapshot", *args)
    assert ours.code == theirs.code == 1 and ours.err.startswith("efi-img: ") and ours.out == ""
    assert {p.name: p.read_bytes() for p in pair.ours.iterdir()} == before


def test_name_too_long(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    assert efi_img(tmp_path, "snapshot", "-c", "x" * 255, "a").code == 0
    assert efi_img(tmp_path, "snapshot", "-c", "x" * 256, "a").code == 1
    assert [len(s["name"]) for s in list_snapshots(tmp_path)[0]] == [255]


@pytest.mark.parametrize(
    "which",
    [
        "1",
        "s",
        "2",
        "snapshot.id=1",
        "snapshot.name=s",
        "snapshot.name=2",
        "snapshot.id=2,snapshot.name=s",
        "none",
        "",
        "snapshot.id=1,snapshot.name=s",
        "snapshot.id=3",
        "snapshot.foo=1",
        "snapshot.",
        "snapshot.name=a,,b",
    ],
)
def test_convert_from(tmp_path, which):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    for i, name in enumerate(("2", "s", "a,b")):
        qemu_io(tmp_path, "a", f"write -P {i + 1} 0 1M")
        qemu_img(tmp_path, "snapshot", "-c", name, "a")
    ours, theirs = (
        Result([program, "convert", "-l", which, "-O", "raw", "a", out], tmp_path)
        for program, out in ((EFI_IMG, "o"), ("qemu-img", "q"))
    )
    assert ours.code == theirs.code, ours.err + theirs.err
    if theirs.code == 0:
        assert (tmp_path / "o").read_bytes() == (tmp_path / "q").read_bytes()
    else:
        assert not (tmp_path / "o").exists()


def test_convert_from_with_backing_file(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "raw", "base", "1M")
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "a")
    qemu_io(tmp_path, "a", "write -P 5 0 100k")
    qemu_img(tmp_path, "snapshot", "-c", "s", "a")
    qemu_io(tmp_path, "a", "write -P 6 50k 500k")
    for program, out in ((EFI_IMG, "o"), ("qemu-img", "q")):
        done = Result(
            [program, "convert", "-l", "s", "-O", "qcow2", "-B", "base", "-F", "raw", "a", out],
            tmp_path,
        )
        assert done.code == 0, done.err
    assert Result(["qemu-img", "compare", "-s", "o", "q"], tmp_path).code == 0
    ours, theirs = (
        Result([program, "convert", "-l", "s", "-O", "raw", "a", "a", "x"], tmp_path)
        for program in (EFI_IMG, "qemu-img")
    )
    assert ours.code == theirs.code == 1


def test_new_snapshot_is_dated(tmp_path):
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    assert efi_img(tmp_path, "snapshot", "-c", "ours", "a").code == 0
    qemu_img(tmp_path, "snapshot", "-c", "theirs", "a")
    ours, theirs = json.loads(Result(["qemu-img", "info", "--output=json", "a"], tmp_path).out)[
        "snapshots"
    ]
    assert abs(ours["date-sec"] - theirs["date-sec"]) < 60


@pytest.mark.parametrize(
    "what",
    [
        "L1 unaligned",
        "L1 reserved",
        "L1 outside",
        "L2 unaligned",
        "L2 outside",
        "compressed outside",
        "unused",
    ],
)
@pytest.mark.parametrize("action", [("-c", "new"), ("-a", "s"), ("-d", "s")])
def test_damaged_tables(tmp_path, what, action):
    """What an L1 or L2 table must not say is found before anything is changed."""
    qemu_img(tmp_path, "create", "-q", "-f", "qcow2", "a", "1M")
    qemu_io(tmp_path, "a", "write -P 1 0 1M")
    qemu_img(tmp_path, "snapshot", "-c", "s", "a")  # the disk and the snapshot share the L2 table
    data = bytearray((tmp_path / "a").read_bytes())

    def number(at, n=8):
        return int.from_bytes(data[at : at + n], "big")

    table = number(number(64) if action[0] != "-c" else 40)
    l2 = number(table) & 0xFFFFFFFFFFFE00
    at, entry = {
        "L1 unaligned": (table, l2 + 512),
        "L1 reserved": (table, l2 + 1),
        "L1 outside": (table, 1 << 50),
        "L2 unaligned": (l2 + 24, number(l2 + 24) + 512),
        "L2 outside": (l2 + 24, 1 << 50),
        "compressed outside": (l2 + 24, 1 << 62 | 1 << 50),
        "unused": (l2 + 24, number(l2 + 24) + (15 << 16)),
    }[what]
    data[at : at + 8] = entry.to_bytes(8, "big")
    if what == "unused":
        data += bytes(16 << 16)
    (tmp_path / "a").write_bytes(data)
    done = efi_img(tmp_path, "snapshot", *action, "a")
    assert done.code == 1 and "its tables refer to" in done.err
    assert (tmp_path / "a").read_bytes() == data
