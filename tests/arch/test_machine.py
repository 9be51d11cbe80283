# SPDX-License-Identifier: BSD-2-Clause
r"""
The program for each processor, on that processor and its firmware: a script with all that matters,
whose results qemu-img judges. EDK2 gets the script from QEMU by SMBIOS strings,
U-Boot from the stick.

U-Boot's FAT truncates a file after each write, so that no image can be made on it: there the
program must refuse that, and read an image from it.
"""

import shutil
from types import SimpleNamespace

import oracle
import pytest
import schemas
from conftest import ROOT
from rig import disks
from rig.disks import LINUX, MIB, Partition, Volume
from rig.machine import Drive, Machine
from shared import CUTS, SIZE, faults_of, from_smbios, make_source, sha256

ON_EDK2 = """#efi-img job 1
on-success poweroff
on-failure poweroff
list
create -f qcow2 made.qcow2 64M
check made.qcow2
convert -p -O qcow2 guid={source} captured.qcow2
convert -O qcow2 -c -o compression_type=zstd guid={source} packed.qcow2
compare guid={source} captured.qcow2
compare captured.qcow2 packed.qcow2
hash guid={source}
convert -p -n packed.qcow2 {target} --erase={target}
"""
ON_U_BOOT = """#efi-img job 1
on-success poweroff
on-failure poweroff
list
check image.qcow2
compare guid={source} image.qcow2
hash guid={source}
convert -p -n image.qcow2 {target} --erase={target}
create -f qcow2 made.qcow2 64M
"""


@pytest.fixture(scope="module")
def stick_image(place, program):
    """The image that make usb makes."""
    image = place / "usb.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image)
    return image


def logged(stick):
    """The events of the only log. U-Boot has no serial port for programs."""
    names = [name for name in stick.names("/efi-img/logs") if name.endswith(".jsonl")]
    assert len(names) == 1, names
    return schemas.events(stick.get(f"/efi-img/logs/{names[0]}").decode())


@pytest.fixture(scope="module")
def done(board, place, stick_image):
    """The script was run: what it has left."""
    source, target = place / "source.img", place / "target.img"
    guid = make_source(source)
    before = sha256(source)
    disks.make_disk(target, SIZE)
    target_guid = disks.write_gpt(target, [Partition(MIB, MIB, LINUX, "old")])
    name = f"guid={target_guid}" if board.is_u_boot else "serial=TARGET"
    job = (ON_U_BOOT if board.is_u_boot else ON_EDK2).format(source=guid, target=name)
    stick = Volume(shutil.copyfile(stick_image, place / "stick.img"), MIB, 126 * MIB)
    if board.is_u_boot:
        image = place / "image.qcow2"
        oracle.qemu_img("convert", "-f", "raw", "-O", "qcow2", "-c", source, image)
        stick.put(image, "/image.qcow2")
        stick.mkdir("/efi-img")
        stick.put(job.encode(), "/efi-img/job.txt")
    machine = Machine(
        place / "machine",
        [
            Drive(board.bus, stick.image, "STICK", first=not board.is_u_boot),
            Drive(board.bus, source, "SOURCE"),
            Drive(board.bus, target, "TARGET"),
        ],
        board=board,
        more=[] if board.is_u_boot else from_smbios(job),
    )
    with machine:
        machine.expect("The script (is done|has stopped)")
        machine.expect("Switching the machine off")
        if board.powers_off:
            machine.wait_off()
    screen = (place / "machine" / "screen.txt").read_text(encoding="utf-8")
    return SimpleNamespace(
        screen=screen,
        events=logged(stick),
        stick=stick,
        source=source,
        target=target,
        before=before,
        place=place,
        lines=[line for line in job.splitlines() if line.partition(" ")[0] not in HEAD],
    )


HEAD = ("#efi-img", "on-success", "on-failure")


def result_of(done, command, number=0):
    """The result of the command's use of that number in the script."""
    return [r for r in schemas.of_kind(done.events, "result") if r["command"] == command][number]


def test_all_of_it_is_run(board, done):
    starts = [start["line"] for start in schemas.of_kind(done.events, "start")]
    exits = [result["exit"] for result in schemas.of_kind(done.events, "result")]
    assert starts == done.lines, done.screen
    assert exits[:-1] == [0] * (len(exits) - 1), done.screen
    assert (exits[-1] != 0) == board.is_u_boot, done.screen


def test_it_names_processor_and_firmware(board, done):
    session = schemas.of_kind(done.events, "session")[0]
    assert session["processor"] == board.processor
    assert ("Das U-Boot" if board.is_u_boot else "EDK II") in session["firmware"]


def test_it_lists_the_disks(board, done):
    found = schemas.of_kind(done.events, "devices")[0]["devices"]
    assert sorted(disk["size"] for disk in found) == [SIZE, SIZE, 128 * MIB]
    assert [disk["size"] for disk in found if disk["started-from"]] == [128 * MIB]


def test_hash_is_that_of_the_disk(done):
    assert done.before in done.screen
    assert sha256(done.source) == done.before


def test_images_are_sound(board, done):
    """On U-Boot: nothing was made that cannot be made well."""
    if board.is_u_boot:
        message = result_of(done, "create")["message"]
        assert CUTS in message and "made.qcow2" not in done.stick.names(), message
        return
    made = done.stick.copy_out("/made.qcow2", done.place / "made.qcow2")
    oracle.check_image(made, "qcow2")
    assert oracle.info(made, "qcow2")["virtual-size"] == 64 * MIB


def test_a_capture_is_the_disk(board, done):
    if board.is_u_boot:
        assert "Images are identical." in done.screen
        return
    for name in ("captured", "packed"):
        image = done.stick.copy_out(f"/{name}.qcow2", done.place / f"{name}.qcow2")
        oracle.check_image(image, "qcow2")
        oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", done.source, image)
    assert (done.place / "packed.qcow2").stat().st_size < SIZE


def test_a_restored_disk_is_the_image(done):
    assert sha256(done.target) == done.before


def test_the_stick_is_sound(board, done):
    assert faults_of(board, done.stick) == ""
