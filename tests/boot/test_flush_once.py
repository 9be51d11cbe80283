# SPDX-License-Identifier: BSD-2-Clause
"""
A flush that a drive refuses once, and not again: an error, whichever of a job's flushes it is. A
drive may have dropped what it could not write, and its next flush succeeds; so nothing may send the
command again and count the second answer.

One boot has them all: before each command QEMU's blkdebug is put over a disk anew
(blockdev-reopen), so that the n-th flush fails.
"""

import random
from types import SimpleNamespace

import pytest

from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine, MachineFailure
from rig.shell import Shell

SIZE = 4 * MIB
OLD, DATA = b"\x11" * SIZE, random.Random(1).randbytes(2 * MIB)
DEVICE_ERROR, FAILED = 18, 1

# By serial number: the bus. A restore has the disk flushed this often: when its beginning is wiped,
# after the data, after the rest of the beginning, after the first sector.
DISKS = {"SATA": "ahci", "NVME": "nvme", "VIRTIO": "virtio-blk", "SCSI": "virtio-scsi"}
FLUSHES = 4

# A new image of three parts on a FAT volume has the drive flushed at least this often. (On NVMe and
# virtio the firmware's FAT driver does that itself, dozens of times.)
FILE_FLUSHES_MIN, FILE_FLUSHES_MAX = 9, 20


class Failing(Drive):
    """A disk of which one flush can be made to fail. Its serial number names QEMU's nodes."""

    def _faulty(self):
        name = self.serial
        return (
            f"node-name=disk-{name},file.driver=blkdebug,file.node-name=none-{name},"
            f"file.image.driver=file,file.image.node-name=file-{name},"
            f"file.image.filename={self.image},cache=writeback"
        )

    def fail(self, machine, n):
        """The n-th flush from now on fails, once. Flushes of nothing do not count."""
        node, event = f"fails-{n}-{self.serial}", "flush_to_disk"
        states = [{"event": event, "state": at, "new_state": at + 1} for at in range(1, n + 1)]
        error = {"event": event, "iotype": "flush", "errno": 5, "once": True, "state": n}
        machine.qmp(
            "blockdev-add",
            driver="blkdebug",
            image=f"file-{self.serial}",
            **{"node-name": node, "set-state": states, "inject-error": [error]},
        )
        disk = {"driver": "raw", "node-name": f"disk-{self.serial}", "file": node}
        try:
            machine.qmp("blockdev-reopen", options=[disk])
        except (
            MachineFailure
        ):  # QEMU flushes the disk: a failure that no flush has met before is over now
            machine.qmp("blockdev-reopen", options=[disk])


def restores(machine, shell, drive):
    """Restores the disk until there is no n-th flush any more: exit code, output, the disk then."""
    virtio = drive.bus == "virtio-blk"
    name = "path=PciRoot(0x0)/Pci(0xA,0x0)" if virtio else f"serial={drive.serial}"
    erase, results = name.partition("=")[2], []
    for n in range(1, FLUSHES + 2):
        drive.image.write_bytes(OLD)
        drive.fail(machine, n)
        said = shell.run(f"efi-img convert -n -f raw --no-table data.raw {name} --erase={erase}")
        disk = drive.image.read_bytes()
        results.append(SimpleNamespace(status=shell.status(), said=said, disk=disk))
    return results


@pytest.fixture(scope="module")
def made(place, make_stick):
    stick = make_stick()
    stick.put(DATA, "/data.raw")
    images = {name: disks.make_disk(place / f"{name}.img", SIZE) for name in DISKS}
    drives = {
        name: Failing(bus, images[name], name, faults=("once",)) for name, bus in DISKS.items()
    }
    volume = Volume(disks.make_disk(place / "volume.img", 16 * MIB)).format(16, cluster=512)
    drives["VOLUME"] = Failing("ahci", volume.image, "VOLUME", faults=("once",))
    trace = place / "scsi.txt"
    results = {}
    more = ("-trace", "scsi_req_parsed", "-trace", "scsi_req_build_sense", "-D", trace.resolve())
    everything = [Drive("usb", stick.image, "STICK"), *drives.values()]
    with Machine(place / "machine", everything, more=more) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        for name in DISKS:
            results[name] = restores(machine, shell, drives[name])
        on_volume = []
        for n in range(1, FILE_FLUSHES_MAX + 2):
            drives["VOLUME"].fail(machine, n)
            said = shell.run(rf"efi-img convert -q --split=1M -O qcow2 data.raw fs1:\{n}.qcow2")
            on_volume.append(SimpleNamespace(status=shell.status(), said=said))
            if on_volume[-1].status == 0:
                break
        shell.power_off()
    scsi = trace.read_text()
    return SimpleNamespace(disks=results, on_volume=on_volume, volume=volume, scsi=scsi)


@pytest.mark.parametrize("n", range(1, FLUSHES + 1))
@pytest.mark.parametrize("name", [name for name in DISKS if name != "SCSI"])
def test_a_refused_flush_is_an_error(made, name, n):
    result = made.disks[name][n - 1]
    assert result.status == DEVICE_ERROR, f"{result.status}: {result.said}"
    assert "the device reports an error" in result.said
    assert result.disk[:512] in (bytes(512), OLD[:512]), "it begins like something whole"


@pytest.mark.parametrize("name", DISKS)
def test_that_were_all(made, name):
    """There is no fifth flush that could fail: so the cases above are all that there are."""
    result = made.disks[name][-1]
    assert (
        result.status == 0 and result.disk[: len(DATA)] == DATA
    ), f"{result.status}: {result.said}"


def test_scsi_repeats_writes_not_flushes(made):
    """
    OVMF's driver of SCSI disks has each WRITE go to the medium (FUA), so it is a write that the
    drive refuses. The driver writes all of it again, in halves, so its success is true. A write of
    one sector it does not repeat, and that is an error. (Of refused flushes: test_flush.py.)
    """
    refused = []
    lines = made.scsi.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("scsi_req_build_sense") and "key 0x0b" in line:
            refused.append(lines[number - 1].split(" command ")[1].split()[0])
    assert refused == ["42"] * FLUSHES, refused
    for result in made.disks["SCSI"]:
        if result.status == 0:
            assert result.disk[: len(DATA)] == DATA
        else:
            assert result.status == DEVICE_ERROR, result.said
            assert "the device reports an error" in result.said and result.disk[:512] == bytes(512)
    assert any(result.status for result in made.disks["SCSI"])


def test_a_refused_flush_of_a_volume(made):
    """
    The firmware's FAT driver believes the driver of the disk, which does not pass its flush on:
    efi-img sends the drive's own command after it. The first job that succeeds is the one that has
    no n-th flush any more.
    """
    *refused, last = made.on_volume
    assert last.status == 0 and FILE_FLUSHES_MIN <= len(refused) <= FILE_FLUSHES_MAX, last.said
    for n, result in enumerate(refused, 1):
        assert result.status == FAILED, f"{n}: {result.said}"
        assert "the device reports an error" in result.said
        assert f"{n}.qcow2" not in made.volume.names()
    assert f"{len(made.on_volume)}.qcow2" in made.volume.names()
