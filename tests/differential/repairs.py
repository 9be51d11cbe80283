# SPDX-License-Identifier: BSD-2-Clause
"""The same image repaired by efi-img and by qemu-img, and what must be the same afterwards."""

import shutil

from faults import (
    compressed_copied,
    compressed_from_nowhere,
    extended_compressed,
    Image,
    l1_outside,
    l1_unaligned,
    l2_is_data,
    l2_is_header_of_refcounts,
    l2_just_outside,
    l2_last_unaligned,
    l2_outside,
    reftable_empty,
    reftable_outside,
    reftable_reserved,
    reftable_twice,
    reftable_unaligned,
    snapshot_long,
    snapshot_on_l2,
    snapshot_outside,
    snapshot_unaligned,
    unused_but_counted,
)
from oracle import EFI_IMG, Result

# What is lost may be among the clusters that nobody refers to: they are kept here, and freed by
# qemu-img.
KEPT = (
    l2_outside,
    l2_just_outside,
    l1_outside,
    l1_unaligned,
    l2_is_data,
    l2_last_unaligned,
    compressed_from_nowhere,
    compressed_copied,
    extended_compressed,
    snapshot_unaligned,
    snapshot_outside,
    snapshot_long,
    snapshot_on_l2,
)
# A cluster that is two things is told also when its refcount is right: it is still corrupt (2)
# where qemu-img says that it is not (0).
OVERLAP = (l2_is_data, l2_last_unaligned, snapshot_on_l2)
# qemu-img gives up in the middle of the repair of these (1): it takes what it is about to write
# over for tables in use.
NOT_BY_QEMU = (reftable_unaligned, reftable_reserved, snapshot_long, snapshot_on_l2)
# The new refcount structure is not where qemu-img has it, so that the end of the image is another
# one; or the flags that had to be changed for the old place were not.
REBUILT = (reftable_outside, reftable_twice, reftable_empty, l2_is_header_of_refcounts)
NUMBERS = ("corruptions", "corruptions-fixed", "leaks", "leaks-fixed", "check-errors")


def run(program, folder, *args):
    return Result([program, "check", *args], folder)


def contents(folder, name="a.qcow2"):
    """What can be read from the disk, or how that fails, and the same of its snapshots."""
    listed = Result(["qemu-img", "snapshot", "-l", name], folder).out.splitlines()[2:]
    read = []
    for snapshot in [None] + [line.split()[0] for line in listed]:
        done = Result(
            [
                "qemu-img",
                "convert",
                *(["-l", f"snapshot.id={snapshot}"] if snapshot else []),
                "-O",
                "raw",
                name,
                "flat",
            ],
            folder,
        )
        read.append((folder / "flat").read_bytes() if done.code == 0 else done.code)
    return read


def both(folder, what):
    """
    Repairs the image here, and a copy of it with qemu-img; returns what both said as JSON,
    after looking at what must always hold.
    """
    theirs_folder = folder / "theirs"
    shutil.rmtree(theirs_folder, ignore_errors=True)
    shutil.copytree(folder, theirs_folder)
    before = contents(folder)
    ours = run(EFI_IMG, folder, "-r", what, "--output=json", "a.qcow2")
    theirs = run("qemu-img", theirs_folder, "-r", what, "--output=json", "a.qcow2")
    after = (folder / "a.qcow2").read_bytes()
    read = contents(folder)
    assert all(a == b for a, b in zip(read, before) if isinstance(b, bytes)), "the disk has changed"
    again = run(EFI_IMG, folder, "-r", what, "--output=json", "a.qcow2")
    assert (
        again.code == ours.code and (folder / "a.qcow2").read_bytes() == after
    ), "repairing it once more changes it"
    assert again.code in (1, 63) or not {"corruptions-fixed", "leaks-fixed"} & again.json().keys()
    only_checked = run(EFI_IMG, folder, "a.qcow2")
    assert only_checked.code == ours.code or ours.code == 1, only_checked.err
    assert ours.code != 0 or run("qemu-img", folder, "a.qcow2").code == 0
    return ours, theirs


def numbers(result):
    return {key: result.json()[key] for key in NUMBERS if key in result.json()}


def assert_same_repair(folder, what, fault):
    ours, theirs = both(folder, what)
    if fault in NOT_BY_QEMU and what == "all" and theirs.code == 1:
        assert ours.code == (0 if fault in NOT_BY_QEMU[:2] else 2), ours.err + theirs.err
        return ours
    if fault in OVERLAP and what == "all" and (ours.code, theirs.code) == (2, 0):
        assert "two different things" in ours.err
        return ours
    assert ours.code == theirs.code, ours.err + "\n---\n" + theirs.err
    if ours.code == 1:
        return ours
    a, b = numbers(ours), numbers(theirs)
    if "leaks" in a and (
        fault in KEPT or (fault == unused_but_counted and Image(folder / "a.qcow2").extended)
    ):
        assert "were kept" in ours.err and a["leaks"] >= b.get("leaks-fixed", 0), ours.err
        assert a.get("corruptions", 0) <= b.get("corruptions", 0), ours.err
    elif fault in REBUILT:
        assert a.keys() == b.keys() and all(a[key] <= b[key] for key in a), ours.err
    else:
        assert a == b, ours.err + "\n---\n" + theirs.err
    return ours


def assert_repair(folder, what, *faults):
    image = Image(folder / "a.qcow2")
    for fault in faults:
        fault(image)
    image.save()
    return assert_same_repair(folder, what, faults[0])
