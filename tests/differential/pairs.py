# SPDX-License-Identifier: BSD-2-Clause
"""The same image on both sides, changed by efi-img on one and by qemu-img on the other."""

import shutil

from oracle import Result


def copy_to_theirs(pair):
    for path in pair.ours.iterdir():
        shutil.copy(path, pair.theirs / path.name)


def run_both(pair, *args):
    """
    The same command on both sides: equal exit codes and output, words of our own for a failure.
    """
    ours, theirs = pair.run(*args)
    assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
    assert (ours.err == "") if ours.code == 0 else ours.err.startswith("efi-img: "), ours.err
    return ours


def assert_sound(folder, name, format):
    if format == "raw":
        return
    check = Result(["qemu-img", "check", "-f", format, name], folder)
    assert check.code == 0 and check.err == "" and "No errors were found" in check.out, (
        check.out + check.err
    )


def assert_same(pair, name, format="qcow2"):
    """A sound image with the same disk, of which qemu-img says the same."""
    assert_sound(pair.ours, name, format)
    flat = (
        pair.theirs / "flat.compared"
    )  # with a name of their own, since QEMU looks for data files where it is started
    made = Result(["qemu-img", "convert", "-f", format, "-O", "raw", name, flat], pair.theirs)
    same = Result(["qemu-img", "compare", "-f", format, "-F", "raw", name, flat], pair.ours)
    assert made.code == 0 and same.code == 0 and same.out == "Images are identical.\n", (
        made.err + same.out + same.err
    )
    flat.unlink()
    described = [
        Result(["qemu-img", "info", "--output=json", "-f", format, name], folder).json()
        for folder in (pair.ours, pair.theirs)
    ]
    for each in described:
        each.pop("actual-size")
    assert described[0] == described[1]
