# SPDX-License-Identifier: BSD-2-Clause
"""
The lines that `check` and its repairs write to standard error, which scripts search for: those of
qemu-img. Where an entry of a table is the problem, efi-img adds its place in parentheses.
"""

import re
import shutil

import pytest

from faults import (
    FAULTS,
    Image,
    extended_both,
    extended_compressed,
    extended_unallocated,
    leaked,
    make,
    not_copied,
    l1_not_copied,
    refcount_high,
    refcount_zero,
    snapshot_long,
    snapshot_unaligned,
)
from oracle import EFI_IMG, Result

# The refcounts of a whole block cannot be had: one line says so, instead of one for each cluster.
UNREADABLE = ("reftable_unaligned", "reftable_far_outside")


def lines(text):
    """Without what efi-img adds at the end of a line."""
    added = r" \([^()]*, entry \d+: 0x[0-9a-f]+\)$|; it is used as two different things$"
    return [re.sub(added, "", line) for line in text.splitlines()]


def break_image(folder, layout, *faults, **options):
    make(folder, layout, **options)
    image = Image(folder / "a.qcow2")
    for fault in faults:
        fault(image)
    image.save()


def assert_same_lines(folder, *args):
    ours = Result([EFI_IMG, "check", *args, "a.qcow2"], folder)
    theirs = Result(["qemu-img", "check", *args, "a.qcow2"], folder)
    assert lines(ours.err) == lines(theirs.err)
    return ours


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("layout", ["", "cluster_size=512", "compat=0.10", "extended_l2=on"])
def test_fault(tmp_path, fault, layout):
    break_image(tmp_path, layout, fault)
    if fault.__name__ in UNREADABLE:
        ours = Result([EFI_IMG, "check", "a.qcow2"], tmp_path)
        theirs = Result(["qemu-img", "check", "a.qcow2"], tmp_path)
        shown = re.search(r"^Can't get refcount for cluster \d+", theirs.err, re.MULTILINE)
        assert shown is None or shown[0] + " and those after it" in ours.err
    else:
        assert_same_lines(tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        extended_both,
        extended_unallocated,
        extended_compressed,
    ],
    ids=lambda f: f.__name__,
)
def test_fault_of_subclusters(tmp_path, fault):
    break_image(tmp_path, "extended_l2=on", fault)
    assert_same_lines(tmp_path)


@pytest.mark.parametrize("fault", [snapshot_unaligned, snapshot_long], ids=lambda f: f.__name__)
def test_fault_of_snapshots(tmp_path, fault):
    break_image(tmp_path, "", fault, snapshot=True)
    assert_same_lines(tmp_path)


@pytest.mark.parametrize(
    "faults",
    [
        (leaked,),
        (refcount_high,),
        (not_copied,),
        (l1_not_copied,),
        (leaked, refcount_high, not_copied, l1_not_copied),
    ],
    ids=lambda faults: "-".join(f.__name__ for f in faults),
)
@pytest.mark.parametrize("what", ["leaks", "all"])
def test_repair(tmp_path, faults, what):
    break_image(tmp_path, "", *faults)
    shutil.copytree(tmp_path, tmp_path / "theirs")
    ours = Result([EFI_IMG, "check", "-r", what, "a.qcow2"], tmp_path)
    theirs = Result(["qemu-img", "check", "-r", what, "a.qcow2"], tmp_path / "theirs")
    assert lines(ours.err) == lines(theirs.err) and "Repairing " in ours.err
    assert (ours.code, ours.out) == (theirs.code, theirs.out)


def test_rebuilt_refcounts(tmp_path):
    """
    With "-r leaks", both say what is needed, and change nothing. With "-r all", qemu-img always
    makes new refcounts, and then releases the old ones.
    """
    break_image(tmp_path, "", refcount_zero)
    before = (tmp_path / "a.qcow2").read_bytes()
    for tool in (EFI_IMG, "qemu-img"):
        said = Result([tool, "check", "-r", "leaks", "a.qcow2"], tmp_path)
        assert said.code == 1 and "ERROR need to rebuild refcount structures\n" in said.err
        assert (tmp_path / "a.qcow2").read_bytes() == before
    ours = Result([EFI_IMG, "check", "-r", "all", "a.qcow2"], tmp_path)
    assert ours.code == 0 and re.search(
        r"^Repairing cluster \d+ refcount=0 reference=1$", ours.err, re.M
    )
    image = Image(tmp_path / "a.qcow2")
    image.put(image.reftable, 0)
    image.save()
    ours = Result([EFI_IMG, "check", "-r", "all", "a.qcow2"], tmp_path)
    assert ours.code == 0 and "Rebuilding refcount structure\n" in ours.err


@pytest.mark.parametrize("action", [(), ("-r", "leaks"), ("-r", "all")])
def test_format_without_checks(tmp_path, action):
    (tmp_path / "a.raw").write_bytes(bytes(65536))
    sentence = "This image format does not support checks"
    for tool in (EFI_IMG, "qemu-img"):
        said = Result([tool, "check", *action, "-f", "raw", "a.raw"], tmp_path)
        assert said.code == 63 and sentence in said.err and said.out == ""
