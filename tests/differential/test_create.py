# SPDX-License-Identifier: BSD-2-Clause
"""`create` beside qemu-img: the same options give the same image, or are refused by both."""

import re

import pytest

from oracle import Pair, Result, EFI_IMG
from rig.qemu_img import is_newer_than_7_2  # in scripts/, which oracle adds to the path

CLUSTER_SIZES = [512 << i for i in range(13)]
REFCOUNT_BITS = [1, 2, 4, 8, 16, 32, 64]
PREALLOCATION = ["off", "metadata", "falloc", "full"]


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


def create_both(pair, *args, name="a.img", format="qcow2", allocated=True, compare="strict"):
    """
    Creates on both sides; True if both did it, and then the images are the same. A refusal
    leaves nothing behind.
    """
    before = pair.files()
    ours, theirs = pair.run("create", "-f", format, *args)
    assert ours.code == theirs.code, (args, ours.err, theirs.err)
    if ours.code != 0:
        assert ours.err.startswith("efi-img: ") and ours.out == "", ours.out + ours.err
        assert pair.files() == before
        return False
    assert ours.out == theirs.out and ours.err == "", ours.err
    pair.assert_same_info(name, allocated=allocated)
    pair.assert_good(name, format, compare)
    return True


@pytest.mark.enumeration(6)
@pytest.mark.parametrize("extended", ["off", "on"])
@pytest.mark.parametrize("mode", ["off", "metadata", "full"])
@pytest.mark.parametrize("bits", [1, 4, 16, 64])
@pytest.mark.parametrize("cluster_size", CLUSTER_SIZES)
def test_qcow2_layout_grid(pair, cluster_size, bits, mode, extended):
    """
    Everything that moves tables about: cluster size, refcount width, preallocation, extended L2.
    """
    options = (
        f"cluster_size={cluster_size},refcount_bits={bits},preallocation={mode},"
        f"extended_l2={extended}"
    )
    # Where a preallocated image has holes in its file is a matter of the host's file system.
    exact = mode == "off" and cluster_size >= 4096
    compare = "strict" if exact else "content"
    made = create_both(pair, "-o", options, "a.img", "4M", allocated=exact, compare=compare)
    assert made == (extended == "off" or cluster_size >= 16384)


@pytest.mark.parametrize("bits", REFCOUNT_BITS)
def test_refcount_bits(pair, bits):
    """Enough clusters for several refcount blocks of each width."""
    assert create_both(
        pair,
        "-o",
        f"cluster_size=512,preallocation=metadata,refcount_bits={bits}",
        "a.img",
        "5M",
        allocated=False,
        compare="content",
    )


@pytest.mark.parametrize("mode", PREALLOCATION)
def test_part_of_a_cluster_at_the_end(pair, mode):
    """
    qemu-img writes out the rest of a preallocated last cluster, which reads as zeros either way.
    """
    assert create_both(
        pair, "-o", f"preallocation={mode}", "a.img", "3333k", allocated=False, compare="content"
    )


@pytest.mark.enumeration(6)
@pytest.mark.parametrize("data", ["", ",data_file=d", ",data_file=d,data_file_raw=on"])
@pytest.mark.parametrize("extended", ["off", "on"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("compression", ["zlib", "zstd", "lz4"])
@pytest.mark.parametrize("lazy", ["off", "on"])
@pytest.mark.parametrize("compat", ["0.10", "v2", "1.1", "v3", "2", ""])
def test_qcow2_features(pair, compat, lazy, compression, bits, extended, data):
    options = (
        f"compat={compat},lazy_refcounts={lazy},compression_type={compression},"
        f"refcount_bits={bits},extended_l2={extended}{data}"
    )
    made = create_both(pair, "-o", options, "a.img", "10M")
    is_plain = (lazy, compression, bits, extended, data) == ("off", "zlib", 16, "off", "")
    assert made == (
        compression != "lz4" if compat in ("1.1", "v3") else compat in ("0.10", "v2") and is_plain
    )


@pytest.mark.parametrize("compat", ["0.10", "v2", "1.1", "v3"])
def test_each_version_is_made(pair, compat):
    """So that the grid above cannot only refuse."""
    assert create_both(pair, "-o", f"compat={compat}", "a.img", "10M")


@pytest.mark.parametrize(
    "size",
    [
        "0",
        "1",
        "511",
        "512",
        "513",
        "64k",
        "65537",
        "1M",
        "50G",
        "1.5G",
        "0x100000",
        "16T",
        "2P",
        "1.00001P",
        "01k",
        "1g",
        "3t",
        "0.1k",
        "100.5M",
    ],
)
@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_sizes(pair, format, size):
    if format == "raw" and size in ("16T", "2P", "1.00001P"):
        return  # larger than a file of the host's file system can be: nothing of ours
    large = size in ("50G", "16T", "2P", "1.00001P", "3t")
    create_both(
        pair,
        "a.img",
        size,
        format=format,
        allocated=format == "qcow2",
        compare="no" if large else "strict",
    )


@pytest.mark.parametrize(
    "size",
    [
        "",
        "1kk",
        "1.5",
        "1.5b",
        "1MB",
        "1e3",
        "k",
        "x",
        "1 k",
        "0x",
        "0xg",
        "8E",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999G",
        "1k ",
        "-1",
    ],
)
def test_bad_sizes(pair, size):
    assert not create_both(pair, "--", "a.img", size)


@pytest.mark.parametrize("format", ["raw", "qcow2"])
@pytest.mark.parametrize("size", [" 1k", "+1k", "0x10k", ".5k"])
def test_sizes_that_only_qemu_img_takes(pair, format, size):
    """
    Blanks, signs and suffixes on hexadecimal numbers are slips more often than meant. qemu-img 7.2
    refuses ".5k" as well; 10 takes that, and refuses "0x10k".
    """
    refused = "0x10k" if is_newer_than_7_2() else ".5k"
    ours, theirs = pair.run("create", "-f", format, "--", "a.img", size)
    assert (ours.code, theirs.code) == (1, int(size == refused)) and pair.files() == []
    assert ours.err.startswith("efi-img: ") and ours.out == ""


@pytest.mark.parametrize(
    "cluster_size, largest", [("512", "128G"), ("1k", "512G"), ("64k", "2P"), ("2M", "2E")]
)
def test_largest_sizes(pair, cluster_size, largest):
    assert create_both(
        pair, "-o", f"cluster_size={cluster_size}", "a.img", largest, allocated=False, compare="no"
    )
    above = largest[:-1] + ".0001" + largest[-1]
    assert not create_both(pair, "-o", f"cluster_size={cluster_size}", "b.img", above, name="b.img")


@pytest.mark.parametrize(
    "options",
    [
        "cluster_size=3k",
        "cluster_size=256",
        "cluster_size=4M",
        "cluster_size=0",
        "cluster_size=x",
        "cluster_size=",
        "refcount_bits=0",
        "refcount_bits=3",
        "refcount_bits=128",
        "refcount_bits=x",
        "refcount_bits=-1",
        "refcount_bits=16k",
        "preallocation=some",
        "preallocation=",
        "lazy_refcounts=maybe",
        "extended_l2=on,cluster_size=8k",
        "compression_type=gzip",
        "data_file_raw=on",
        "foo=1",
        "foo",
        ",",
        "",
        "cluster_size=64k,",
        ",cluster_size=64k",
        "cluster_size=64k,,",
        "size=1M,size",
        "backing_fmt=qcow2",
        "backing_file=",
        "compat=0.10,extended_l2=on",
        "compat=0.10,data_file=d",
    ],
)
def test_bad_options(pair, options):
    assert not create_both(pair, "-o", options, "a.img", "1M")


@pytest.mark.parametrize(
    "args",
    [
        ("-o", "cluster_size=4k", "-o", "refcount_bits=8"),
        ("-o", "lazy_refcounts"),
        ("-o", "lazy_refcounts=yes"),
        ("-o", "lazy_refcounts=y,extended_l2=no"),
        ("-o", "lazy_refcounts=on,lazy_refcounts=off"),
        ("-o", "cluster_size=4k,cluster_size=8k"),
        ("-q",),
        ("-q", "-o", "data_file=da,,ta"),
        ("-ocluster_size=4k",),
        ("-qo", "cluster_size=4k"),
    ],
)
def test_forms_of_options(pair, args):
    assert create_both(pair, *args, "a.img", "1M")


def test_options_and_operands_in_any_order(pair):
    assert create_both(pair, "a.img", "-o", "cluster_size=4k", "--", "1M")


def test_size_as_option(pair):
    assert create_both(pair, "-o", "size=1M", "a.img")
    assert not create_both(pair, "-o", "size=1M", "b.img", "1M", name="b.img")
    assert not create_both(pair, "b.img", name="b.img")
    assert not create_both(pair, "b.img", "1M", "2M", name="b.img")


@pytest.mark.parametrize("mode", ["off", "falloc", "full", "metadata"])
def test_raw_preallocation(pair, mode):
    assert create_both(
        pair, "-o", f"preallocation={mode}", "a.img", "5M", format="raw", allocated=mode != "off"
    ) == (mode != "metadata")


def test_format_defaults_to_raw(pair):
    ours, theirs = pair.run("create", "a.img", "1M")
    assert (ours.code, ours.out) == (theirs.code, theirs.out) and ours.code == 0
    pair.assert_good("a.img", "raw")


def test_unknown_format(pair):
    assert not create_both(pair, "a.img", "1M", format="foo")


class TestBacking:
    @pytest.fixture
    def pair(self, tmp_path):
        pair = Pair(tmp_path)
        pair.qemu_both("create", "-q", "-f", "qcow2", "base.qcow2", "5M")
        pair.qemu_both("create", "-q", "-f", "raw", "base.raw", "3M")
        return pair

    def test_size_comes_from_it(self, pair):
        assert create_both(pair, "-b", "base.qcow2", "-F", "qcow2", "a.img")
        assert create_both(pair, "-b", "base.raw", "-F", "raw", "b.img", name="b.img")

    def test_size_given(self, pair):
        assert create_both(pair, "-b", "base.qcow2", "-F", "qcow2", "a.img", "50M")
        assert create_both(pair, "-b", "base.qcow2", "-F", "qcow2", "b.img", "1M", name="b.img")

    def test_as_option(self, pair):
        assert create_both(pair, "-o", "backing_file=base.qcow2,backing_fmt=qcow2", "a.img")
        assert create_both(
            pair,
            "-o",
            "backing_file=base.qcow2,backing_fmt=qcow2",
            "-b",
            "base.raw",
            "-F",
            "raw",
            "b.img",
            name="b.img",
        )

    def test_with_data_file(self, pair):
        assert create_both(pair, "-b", "base.qcow2", "-F", "qcow2", "-o", "data_file=d", "a.img")
        assert not create_both(
            pair,
            "-b",
            "base.qcow2",
            "-F",
            "qcow2",
            "-o",
            "data_file=e,data_file_raw=on",
            "b.img",
            name="b.img",
        )

    @pytest.mark.parametrize("mode", ["metadata", "falloc", "full"])
    def test_with_preallocation(self, pair, mode):
        backing = ("-b", "base.qcow2", "-F", "qcow2")
        assert not create_both(pair, *backing, "-o", f"preallocation={mode}", "a.img")
        assert create_both(pair, *backing, "-o", f"preallocation={mode},extended_l2=on", "a.img")

    @pytest.mark.parametrize(
        "args",
        [
            ("-b", "base.qcow2"),
            ("-b", "none", "-F", "raw"),
            ("-b", "", "-F", "raw"),
            ("-F", "qcow2"),
            ("-b", "base.raw", "-F", "qcow2"),
            ("-b", "base.qcow2", "-F", "foo"),
            ("-u", "-b", "none", "-F", "raw"),
        ],
    )
    def test_refused(self, pair, args):
        assert not create_both(pair, *args, "a.img", *(["1M"] if "-u" not in args else []))

    def test_unsafe(self, pair):
        assert create_both(pair, "-u", "-b", "none", "-F", "raw", "a.img", "1M", compare="alone")

    def test_itself(self, pair):
        before = (pair.ours / "base.qcow2").read_bytes()
        ours = Result(
            [
                EFI_IMG,
                "create",
                "--force",
                "-f",
                "qcow2",
                "-b",
                "./base.qcow2",
                "-F",
                "qcow2",
                "base.qcow2",
            ],
            pair.ours,
        )
        assert ours.code == 1 and (pair.ours / "base.qcow2").read_bytes() == before

    def test_in_its_own_chain(self, pair):
        pair.qemu_both(
            "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "mid.qcow2"
        )
        before = (pair.ours / "base.qcow2").read_bytes()
        ours = Result(
            [
                EFI_IMG,
                "create",
                "--force",
                "-f",
                "qcow2",
                "-b",
                "mid.qcow2",
                "-F",
                "qcow2",
                "base.qcow2",
            ],
            pair.ours,
        )
        assert ours.code == 1 and (pair.ours / "base.qcow2").read_bytes() == before

    def test_long_names(self, pair):
        """A name must fit into the first cluster, and has at most 1023 bytes."""
        made = [
            create_both(
                pair,
                "-u",
                "-b",
                "x" * n,
                "-F",
                "raw",
                "-o",
                f"cluster_size={cluster}",
                f"{n}-{cluster}",
                "1M",
                name=f"{n}-{cluster}",
                compare="alone",
            )
            for n in (1, 300, 350, 400, 1000, 1023)
            for cluster in (512, 1024, 2048)
        ]
        assert any(made) and not all(made)

    def test_in_another_folder(self, pair):
        for folder in (pair.ours, pair.theirs):
            (folder / "sub").mkdir()
        assert create_both(
            pair, "-b", "../base.qcow2", "-F", "qcow2", "sub/a.img", name="sub/a.img"
        )


class TestExistingFiles:
    """What efi-img does differently on purpose: nothing is overwritten without --force."""

    def create(self, folder, *args):
        return Result([EFI_IMG, "create", *args], folder)

    def test_image(self, tmp_path):
        (tmp_path / "a.img").write_bytes(b"precious")
        refused = self.create(tmp_path, "-f", "qcow2", "a.img", "1M")
        assert refused.code == 1 and "--force" in refused.err and "a.img" in refused.err
        assert (tmp_path / "a.img").read_bytes() == b"precious"
        assert self.create(tmp_path, "--force", "-f", "qcow2", "a.img", "1M").code == 0
        assert Result(["qemu-img", "check", "a.img"], tmp_path).code == 0

    def test_data_file(self, tmp_path):
        (tmp_path / "d").write_bytes(b"precious")
        refused = self.create(tmp_path, "-f", "qcow2", "-o", "data_file=d", "a.img", "1M")
        assert (
            refused.code == 1
            and (tmp_path / "d").read_bytes() == b"precious"
            and not (tmp_path / "a.img").exists()
        )

    def test_data_file_is_the_image(self, tmp_path):
        for force in ((), ("--force",)):
            refused = self.create(
                tmp_path, *force, "-f", "qcow2", "-o", "data_file=./a.img", "a.img", "1M"
            )
            assert refused.code == 1 and not (tmp_path / "a.img").exists()

    @pytest.mark.parametrize("options", ["cluster_size=3k", "size=9999999P", "preallocation=x"])
    def test_force_loses_nothing_to_a_bad_option(self, tmp_path, options):
        (tmp_path / "a.img").write_bytes(b"precious")
        assert (
            self.create(tmp_path, "--force", "-f", "qcow2", "-o", options, "a.img", "1M").code == 1
        )
        assert (tmp_path / "a.img").read_bytes() == b"precious"

    def test_directory(self, tmp_path):
        (tmp_path / "dir").mkdir()
        for force in ((), ("--force",)):
            assert self.create(tmp_path, *force, "dir", "1M").code == 1
        assert self.create(tmp_path, "none/a.img", "1M").code == 1

    def test_no_space(self, tmp_path):
        refused = self.create(tmp_path, "-o", "preallocation=full", "a.img", "1E")
        assert refused.code == 1 and "free" in refused.err and not (tmp_path / "a.img").exists()


def test_option_help_names_what_qemu_img_has(tmp_path):
    """
    The same names and types, except for encryption, which is not there; and compression_level,
    which qemu-img has not.
    """
    for format in ("raw", "qcow2"):
        ours = Result([EFI_IMG, "create", "-f", format, "-o", "help"], tmp_path)
        theirs = Result(["qemu-img", "create", "-f", format, "-o", "help"], tmp_path)
        names = [
            [
                line.split(" - ")[0].rstrip()
                for line in r.out.splitlines()
                if re.match("  [a-z]", line) and "encrypt" not in line
            ]
            for r in (ours, theirs)
        ]
        assert ("  compression_level=<num>" in names[0]) == (format == "qcow2")
        names[0] = [n for n in names[0] if n != "  compression_level=<num>"]
        assert ours.code == 0 and [n for n in names[0] if n != "  preallocation=<str>"] == [
            n for n in names[1] if n != "  preallocation=<str>"
        ]
