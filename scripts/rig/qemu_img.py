# SPDX-License-Identifier: BSD-2-Clause
"""
What qemu-img prints, in the words of version 7.2: efi-img prints what that version prints, and
tests compare the two. A newer version adds fields and has other columns in the snapshot table; all
that is translated here. The output of 7.2 stays as it is.
"""

import functools
import re
import subprocess
from pathlib import Path

# What qemu-img 10 prints and 7.2 does not, by command.
ADDED = {
    "info": [
        # The node below the format, which is the file, with its length and the disk size.
        r"^Child node '.*':\n(?: {4}.*\n)+",
        r'^( *)"children": \[\n(?:\1 .*\n)*\1\],\n',
        # The LUKS header is in the image; qcow2 has no detached ones.
        r"^ *detached header: false\n",
        r'^ *"detached-header": false,\n',
    ],
    "map": [r', "compressed": (?:true|false)'],
}

PARALLELS = (b"WithoutFreeSpace", b"WithouFreSpacExt")  # how its images begin


@functools.cache
def is_newer_than_7_2():
    """Whether the qemu-img that is installed is."""
    said = subprocess.run(["qemu-img", "--version"], capture_output=True, check=True).stdout
    major, minor = re.match(rb"qemu-img version (\d+)\.(\d+)", said).groups()
    return (int(major), int(minor)) > (7, 2)


def as_7_2(args, out, folder="."):
    """
    What qemu-img 7.2 prints for *args* where the qemu-img that is installed printed *out*. File
    names are those of the folder.
    """
    if not is_newer_than_7_2():
        return out
    command = str(args[0])
    for pattern in ADDED.get(command, []):
        out = re.sub(pattern, "", out, flags=re.MULTILINE)
    if command == "measure" and is_parallels(Path(folder, str(args[-1]))):
        # 7.2 does not know the bitmaps of Parallels images.
        out = re.sub(r'^bitmaps size: \d+\n|^ *"bitmaps": \d+,\n', "", out, flags=re.MULTILINE)
    if command in ("info", "snapshot"):
        out = snapshot_table_as_7_2(out)
    return out


def is_parallels(path):
    if not path.is_file():
        return False
    with open(path, "rb") as image:
        return image.read(len(PARALLELS[0])) in PARALLELS


def snapshot_table_as_7_2(out):
    """
    The table in the columns of 7.2: a wider ID, a narrower clock with hours of two digits, nothing
    instead of "--" where there is no instruction count, and no space before a date, clock or count
    that fills its column.
    """

    def older_row(match):
        id, name_and_size, date, hours, clock, icount = match.groups()
        clock = f"{int(hours):02}{clock}"
        return f"{id.rstrip():9}{name_and_size}{date:>20}{clock:>13}{icount.strip('-'):>11}"

    newer = f"{'ID':7} {'TAG':16} {'VM_SIZE':>8} {'DATE':>19} {'VM_CLOCK':>15} {'ICOUNT':>10}\n"
    older = f"{'ID':9} {'TAG':16} {'VM SIZE':>8}{'DATE':>20}{'VM CLOCK':>13}{'ICOUNT':>11}\n"
    row = (
        r"^(\d.{6}|\S{8,})( .* [\d.]+ (?:[KMGTPE]i)?B) +(\d+-\d\d-\d\d \d\d:\d\d:\d\d)"
        r" +(\d+)(:\d\d:\d\d\.\d{3}) +(\d+|--)$"
    )
    return re.sub(row, older_row, out.replace(newer, older), flags=re.MULTILINE)
