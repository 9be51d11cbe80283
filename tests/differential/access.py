# SPDX-License-Identifier: BSD-2-Clause
"""Runs commands that must be refused, and tells whether they have changed any file."""

import hashlib
import os
from stat import ST_INO, ST_MTIME, ST_SIZE

from oracle import EFI_IMG, Result


def efi_img(place, *words, disks=None):
    if disks is None:
        return Result([EFI_IMG, *words], place)
    os.environ["EFI_IMG_DISKS"] = disks
    try:
        return Result([EFI_IMG, *words], place)
    finally:
        del os.environ["EFI_IMG_DISKS"]


def contents(place):
    """Every file by its name; of links, what they lead to."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def age(place):
    """Dates every file to long ago, and returns what untouched() says of them then."""
    for path in place.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    return untouched(place)


def untouched(place):
    """
    Of every file, what each write to it changes, since age() has dated it. To read all bytes after
    each of a thousand command lines would take most of the time.
    """
    return {
        str(path.relative_to(place)): tuple(path.stat()[i] for i in (ST_INO, ST_SIZE, ST_MTIME))
        for path in place.rglob("*")
        if path.is_file()
    }


def refused(place, *words, disks=None, code=1):
    before = age(place)
    done = efi_img(place, *words, disks=disks)
    assert done.code == code and untouched(place) == before, (done.code, done.err)
    return done.err
