# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of file systems share: their tools, the map of ours, and the overwrite test."""

import hashlib
import os
import subprocess

from images import MIB
from oracle import ROOT

PROGRAM = ROOT / "build" / "host" / "fs_map"
assert PROGRAM.exists(), f"{PROGRAM} is not there: run make build/host/fs_map first"
ENVIRONMENT = dict(
    os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin", LC_ALL="C.UTF-8", TZ="UTC"
)


def tool(*words, ok=(0,), **more):
    """Runs a tool of a file system; returns what it printed."""
    done = subprocess.run(
        [str(w) for w in words],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **more,
    )
    assert done.returncode in ok, f"{words}: {done.returncode}\n{done.stdout}"
    return done.stdout


class Map:
    """What build/host/fs_map prints of an image."""

    def __init__(self, image, *mode):
        lines = tool(PROGRAM, image, *mode).splitlines()
        for line in lines[:6]:
            word, _, value = line.partition(" ")
            setattr(self, word, value)
        word, _, value = lines[6].partition(" ")
        self.reason = value if word == "none" else None
        unused, _, self.remark = value.partition(" ") if word == "map" else ("0", "", "")
        self.unused = int(unused)
        self.extents = [tuple(map(int, line.split())) for line in lines[7:]]


def files_of(top):
    return sorted(p.relative_to(top) for p in top.rglob("*") if p.is_file())


def is_deleted(name):
    return int(name.name[4:]) % 3 == 1


def sums(top):
    return {str(n): hashlib.sha256((top / n).read_bytes()).hexdigest() for n in files_of(top)}


def blank(path, n_bytes):
    with open(path, "wb") as f:
        f.truncate(n_bytes)
    return path


def overwrite(image, check, read, tmp_path, least_unused):
    """Overwrites what is unused; then the checker is content and the files are as they were."""
    before = tmp_path / "before"
    after = tmp_path / "after"
    check(image)
    read(image, before)
    assert len(sums(before)) > 20
    found = Map(image, "poison")
    assert found.reason is None, found.reason
    assert found.unused >= least_unused
    check(image)
    read(image, after)
    assert sums(before) == sums(after)
    assert Map(image).extents == found.extents  # the tables are as they were
    return found


def no_map(image, *words):
    found = Map(image)
    assert found.reason is not None, "there is a map"
    for word in words:
        assert word in found.reason
    return found


def refused(sample, change, word, tmp_path):
    """A copy of the sample has a map, and none for a reason with the word after change(copy)."""
    image = tmp_path / "image"
    tool("cp", "--sparse=always", sample, image)
    assert Map(image).reason is None
    change(image)
    return no_map(image, word)


def names(image):
    """Label and UUID, as util-linux reads them."""
    return tuple(
        tool("blkid", "-p", "-s", name, "-o", "value", image, ok=(0, 2)).rstrip("\n")
        for name in ("LABEL", "UUID")
    )


def poke(image, offset, value):
    with open(image, "r+b") as f:
        f.seek(offset)
        f.write(value)


def cut(image, n_bytes=MIB):
    os.truncate(image, os.path.getsize(image) - n_bytes)
