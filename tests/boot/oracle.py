# SPDX-License-Identifier: BSD-2-Clause
"""qemu-img, which judges what the program made."""

import json

from rig import disks
from rig.qemu_img import as_7_2


def qemu_img(*words, cwd=None):
    """Runs qemu-img, which has to succeed; returns what it printed, in the words of 7.2."""
    return as_7_2(words, disks.run("qemu-img", *words, cwd=cwd))


def make_overlay(folder, name, backing, form="qcow2"):
    """A qcow2 image, with the image backing of the format form below it."""
    qemu_img("create", "-q", "-f", "qcow2", "-b", backing, "-F", form, name, cwd=folder)


def info(image, form=None):
    """What qemu-img says of an image."""
    return json.loads(qemu_img("info", "--output=json", *(["-f", form] if form else []), image))


def comparable(answer):
    """An answer of info without what depends on where the file is."""
    apart = ("filename", "actual-size", "full-backing-filename")
    return {key: value for key, value in answer.items() if key not in apart}


UNCHECKED = ("raw", "vpc", "qcow")


def check_image(image, form):
    """Has qemu-img check an image, where it can: it has no check for some formats."""
    if form not in UNCHECKED:
        qemu_img("check", "-f", form, image)


def check_same(image, reference, form):
    """Both images are sound, qemu-img says the same of them, and they have the same contents."""
    check_image(image, form)
    assert comparable(info(image, form)) == comparable(info(reference, form))
    qemu_img("compare", "-f", form, "-F", form, image, reference)
