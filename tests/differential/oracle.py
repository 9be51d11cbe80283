# SPDX-License-Identifier: BSD-2-Clause
"""
Runs efi-img's host program and qemu-img side by side.

Both work on files of the same name in folders of their own, so that what they print can be compared
as it is; that of a newer qemu-img in the words of 7.2, which efi-img's are.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from rig.qemu_img import as_7_2  # noqa: E402  (found through the line above)

EFI_IMG = Path(os.environ.get("EFI_IMG", ROOT / "build" / "host" / "efi-img"))
HANG_SECONDS = 1200  # ends what hangs; no command takes so long, however busy the machine is
CHECKED = ("total-clusters", "allocated-clusters", "fragmented-clusters", "compressed-clusters")


class Result:
    def __init__(self, args, cwd):
        done = subprocess.run(
            [str(a) for a in args], cwd=cwd, capture_output=True, timeout=HANG_SECONDS
        )
        self.args = args
        self.code = done.returncode
        self.out = done.stdout.decode()
        if args[0] == "qemu-img":
            self.out = as_7_2(args[1:], self.out, cwd)
        self.err = done.stderr.decode()

    def json(self):
        return json.loads(self.out)


class Pair:
    """Two folders: `ours`, in which efi-img works, and `theirs`, in which qemu-img does."""

    def __init__(self, folder):
        self.ours = folder / "ours"
        self.theirs = folder / "theirs"
        self.ours.mkdir()
        self.theirs.mkdir()

    def run(self, *args):
        return Result([EFI_IMG, *args], self.ours), Result(["qemu-img", *args], self.theirs)

    def qemu_both(self, *args):
        """Prepares the same files on both sides, with qemu-img."""
        for folder in (self.ours, self.theirs):
            done = Result(["qemu-img", *args], folder)
            assert done.code == 0, done.err

    def files(self):
        return sorted(p.name for p in self.ours.iterdir())

    def assert_same_info(self, name, *options, allocated=True):
        """
        qemu-img says the same of both images, and efi-img says what qemu-img says, in both styles.
        """
        ours = Result(["qemu-img", "info", "--output=json", name], self.ours)
        theirs = Result(["qemu-img", "info", "--output=json", name], self.theirs)
        assert theirs.code == 0 and ours.code == 0, ours.err + theirs.err
        a, b = ours.json(), theirs.json()
        if not allocated:
            a.pop("actual-size")
            b.pop("actual-size")
        assert a == b
        for folder in (self.ours, self.theirs):
            assert_info_as_qemu(folder, name, *options)

    def assert_good(self, name, format="qcow2", compare="strict"):
        """
        The oracle's verdict on an image that efi-img has written.

        compare: "strict" looks at what is allocated too, "content" does not, "no" is for disks that
        take too long to read, and "alone" for images whose backing file is not there, which cannot
        even be checked.
        """
        strict = (
            ["-s"] if compare == "strict" and format != "raw" else []
        )  # qemu-img allocates the first block of a raw file
        if format != "raw" and compare != "alone":
            check, check_theirs = (
                Result(["qemu-img", "check", "-f", format, "--output=json", name], folder)
                for folder in (self.ours, self.theirs)
            )
            assert check.code == 0 and check.err == "", check.out + check.err
            assert [check.json().get(k) for k in CHECKED] == [
                check_theirs.json().get(k) for k in CHECKED
            ]
        if compare in ("strict", "content"):
            same = Result(
                [
                    "qemu-img",
                    "compare",
                    *strict,
                    "-f",
                    format,
                    "-F",
                    format,
                    self.ours / name,
                    self.theirs / name,
                ],
                self.ours,
            )
            assert same.code == 0, same.out + same.err


def progress(out):
    """
    What -p shows: the positions in hundredths of a percent; the phases that efi-img names
    behind them; and all else that is said.
    """
    line = r"    \((\d+)\.(\d\d)/100%\)(?: (\w+)[^\r\n]*)?\r"
    found = re.findall(line, out)
    phases = list(dict.fromkeys(phase for _, _, phase in found))
    return [int(whole) * 100 + int(part) for whole, part, _ in found], phases, re.sub(line, "", out)


def efi_img(folder, *args, code=0):
    """What efi-img did with a line in the folder, which has to end with that exit code."""
    done = Result([EFI_IMG, *args], folder)
    assert done.code == code, done.out + done.err
    return done


def both(folder, *args):
    """One line for efi-img and for qemu-img, on the same files: it must not change them."""
    return Result([EFI_IMG, *args], folder), Result(["qemu-img", *args], folder)


def assert_as_qemu(folder, *args):
    ours, theirs = both(folder, *args)
    assert (ours.code, ours.out) == (theirs.code, theirs.out), (args, ours.err, theirs.err)
    return ours


def assert_info_as_qemu(folder, name, *options):
    for style in ("human", "json"):
        command = ["info", f"--output={style}", *options, name]
        ours, theirs = Result([EFI_IMG, *command], folder), Result(["qemu-img", *command], folder)
        if ours.out != theirs.out:  # the size on disk grows when the system stores the file
            ours = Result([EFI_IMG, *command], folder)
        assert (ours.code, ours.out) == (theirs.code, theirs.out), ours.err + theirs.err
