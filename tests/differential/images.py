# SPDX-License-Identifier: BSD-2-Clause
"""Images with all kinds of clusters, written by qemu-img and qemu-io."""

import random
import subprocess

from oracle import Result

MIB = 1 << 20


def qemu_img(folder, *args):
    done = Result(["qemu-img", *args], folder)
    # On a busy machine it cannot always measure how fast it hashes a password.
    for _ in range(20):
        if "accurate CPU usage" not in done.err:
            break
        done = Result(["qemu-img", *args], folder)
    assert done.code == 0, done.err


def qemu_io(folder, name, *commands, options=()):
    words = ["qemu-io", *options]
    for command in commands:
        words += ["-c", command]
    done = subprocess.run([*words, str(name)], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr


def make_outside(folder, name, data_file, n_bytes, *options):
    """A qcow2 image with its contents in data_file."""
    options = ",".join((f"data_file={data_file}", *options))
    qemu_img(folder, "create", "-q", "-f", "qcow2", "-o", options, name, n_bytes)


def make_orphan(folder, name):
    """An image of 1 MiB whose backing file is not there."""
    words = ["-u", "-b", "none", "-F", "raw", name, "1M"]
    qemu_img(folder, "create", "-q", "-f", "qcow2", *words)


def make_encrypted(folder, name):
    """An image of 1 MiB that is encrypted in the old way."""
    secret = ["--object", "secret,id=s,data=secret"]
    options = "encrypt.format=aes,encrypt.key-secret=s"
    qemu_img(folder, "create", "-q", *secret, "-f", "qcow2", "-o", options, name, "1M")


def random_writes(seed, size, compressed=False, freed=True):
    """
    Commands that leave all kinds of clusters behind: data, zeros of both kinds, holes, and
    compressed ones.

    freed: some clusters of the file are given up again. They may be holes of the file, and qemu-img
    looks for holes of preallocated clusters in a file only if refcounts say that there are more
    clusters than it occupies, which map does not read.
    """
    dice = random.Random(seed)
    if compressed:  # qemu-io does not write compressed data over other data
        for cluster in dice.sample(range(size // 65536), 10):
            yield f"write -c -P {dice.randrange(1, 255)} {cluster * 65536} 65536"
    for _ in range(25):
        offset = dice.randrange(size // 512) * 512
        length = min(dice.choice([512, 4096, 65536, 200704, MIB]), size - offset)
        kinds = ["-P 1", "-P 7", "-z", "-zu" if freed else "-z", "-P 0"]
        yield f"write {dice.choice(kinds)} {offset} {length}"
        if freed and dice.randrange(8) == 0:
            yield f"discard {offset} {length}"
