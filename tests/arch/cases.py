# SPDX-License-Identifier: BSD-2-Clause
"""
The command lines that every board runs, in one boot, each of them a test.

ALSO_BY_QEMU_IMG are some of those of tests/boot/commands.py, which qemu-img runs on the same images
on the host: its output and its images are what is expected. OWN are those of disks, and what
qemu-img does not have. {source}, {target}, {spare} and {boot} are the selectors of disks, the last
of them of the one that efi-img was started from; {word} is the name without serial= or guid=.

On U-Boot, whose FAT truncates a file after each write, a command that makes or changes an image is
refused before the first byte. There is one that is not: a capture that is written from front to
back.
"""

from dataclasses import dataclass

from rig.disks import MIB

ALSO_BY_QEMU_IMG = (
    "amend-refcounts",
    "bitmap-add",
    "check",
    "check-json",
    "check-packed",
    "check-leaks",
    "check-corrupt",
    "check-repair-all",
    "commit",
    "compare",
    "compare-differ",
    "convert-chain",
    "convert-snapshot",
    "dd-qcow2",
    "info",
    "info-chain",
    "map",
    "map-json",
    "measure",
    "measure-json",
    "rebase",
    "resize-larger",
    "snapshot-list",
    "snapshot-create",
    "snapshot-apply",
)
CREATED = 8 * MIB


@dataclass(frozen=True)
class Case:
    """
    A line, its exit code, and a regular expression that is in what it prints. `image` is the file
    on the stick that it makes, of that format: with what is on the disk {source} or, if it is
    `new`, an empty disk of CREATED bytes. With `forward`, U-Boot makes it as well. `writes` is the
    disk that it makes equal to {source}.
    """

    line: str
    says: str = ""
    status: int = 0
    image: str = ""
    form: str = ""
    new: bool = False
    forward: bool = False
    writes: str = ""


def create(form):
    return Case(
        f"create -f {form} new.{form} {CREATED}",
        "Formatting",
        image=f"new.{form}",
        form=form,
        new=True,
    )


def convert(form, *options):
    line = " ".join(["convert", *options, "-O", form, "image.qcow2", f"copy.{form}"])
    return Case(line, image=f"copy.{form}", form=form)


OWN = {
    "list": Case("list", "16 MiB"),
    "list-json": Case("list --output=json"),
    "info-disk": Case("info {source}", "virtual size: 16 MiB"),
    "hash-disk": Case("hash {source}", "{sha256}"),
    "hash-image": Case("hash image.qcow2", "{sha256}"),
    "compare-disk": Case("compare {source} image.qcow2", "Images are identical"),
    "compare-other-disk": Case("compare {target} image.qcow2", "Content mismatch", 1),
    "capture": Case("capture {source} disk.qcow2", "verified", image="disk.qcow2", form="qcow2"),
    "capture-stream": Case(
        "convert -O vmdk -o subformat=streamOptimized {source} stream.vmdk",
        "verified",
        image="stream.vmdk",
        form="vmdk",
        forward=True,
    ),
    **{
        f"create-{form}": create(form)
        for form in ("raw", "qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc", "parallels")
    },
    **{f"convert-{form}": convert(form) for form in ("raw", "vmdk", "vdi", "vhdx", "vpc")},
    "convert-zstd": convert("qcow2", "-c", "-o", "compression_type=zstd"),
    "run-check": Case("run --check job.txt"),
    "run": Case("run job.txt", "The script is done"),
    "help": Case("help", "Usage: efi-img COMMAND"),
    "help-command": Case("help restore", "Usage: efi-img restore"),
    "version": Case("version", "{processor}"),
    "wrong-command": Case("help captur", "capture", 1),
    "wrong-option": Case("check --frob image.qcow2", "--frob", 1),
    "wrong-file": Case("info nothing.qcow2", "nothing.qcow2", 1),
    "wrong-disk": Case("hash serial=NOBODY", "serial=NOBODY", 1),
    "restore-unconfirmed": Case("restore image.qcow2 {target}", "--erase", 12),
    "restore-other-word": Case("restore image.qcow2 {target} --erase=OTHER", "--erase", 12),
    "restore-boot-disk": Case("restore image.qcow2 {boot} --erase=x", "started from", 12),
    "restore-dry-run": Case("restore --dry-run image.qcow2 {target} --erase={target.word}"),
    "clone": Case("clone {source} {spare} --erase={spare.word}", "verified", writes="spare"),
    "restore": Case(
        "restore image.qcow2 {target} --erase={target.word}", "verified", writes="target"
    ),
}
