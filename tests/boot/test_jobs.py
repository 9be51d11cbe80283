# SPDX-License-Identifier: BSD-2-Clause
"""
Scripts: on the stick, from outside of the virtual machine, from the shell; what they leave
behind and say on the serial line.
"""

import random
import re
import shutil
import sys
from types import SimpleNamespace

import pytest

import oracle
from conftest import ROOT
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch

sys.path.insert(0, str(ROOT / "tests" / "schema"))
import schemas  # noqa: E402  (found through the line above)

EXIT = (
    *("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
    # where the events go besides the log: never to a console
    *("-chardev", "file,id=events,path=events.jsonl"),
    *("-device", "isa-debugcon,iobase=0xe9,chardev=events"),
)
COUNTDOWN = r"fs0:\\efi-img\\job.txt begins in 5 seconds. Any key stops it."
JOB = r"""#efi-img job 1
# A disk into an image, and the image onto another disk.
exit-code
on-success poweroff
on-failure wait

efi-img convert -p -O qcow2 serial=SOURCE "captured disk.qcow2"
convert -p -n "captured disk.qcow2" serial=TARGET
"""


@pytest.fixture(scope="module")
def usb_image(place, program):
    """The image that make usb makes."""
    image = place / "usb.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image)
    return image


@pytest.fixture
def make_machine(place, usb_image):
    """A machine with a fresh stick, with or without a job on it. The stick is machine.stick."""

    def make(job=None, drives=(), stick=None, **options):
        image = shutil.copyfile(usb_image, place / "stick.img")
        volume = Volume(image, MIB, 126 * MIB)
        if job is not None:
            volume.mkdir("/efi-img")
            volume.put(job.encode(), "/efi-img/job.txt")
        machine = Machine(
            place / "machine", [stick or Drive("usb", image, "STICK"), *drives], **options
        )
        machine.stick = volume
        return machine

    return make


def logs(stick):
    """The events and the text of the only log."""
    names = sorted(stick.names("/efi-img/logs"))
    assert len(names) == 2 and names[0].removesuffix(".jsonl") == names[1].removesuffix(
        ".log"
    ), names
    return (
        schemas.events(stick.get(f"/efi-img/logs/{names[0]}").decode()),
        stick.get(f"/efi-img/logs/{names[1]}").decode(),
    )


def events_outside(machine):
    """Those that the machine has told outside of its log; none of them is on a console."""
    for console in ("screen.txt", "second.txt"):
        if (machine.directory / console).exists():
            assert '{"schema"' not in (machine.directory / console).read_text(encoding="utf-8")
    return schemas.events((machine.directory / "events.jsonl").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def on_stick(place, usb_image):
    """
    The job was done by a machine with nothing but a serial line, twice: what it has left each time.
    """
    content = random.Random(3).randbytes(8 * MIB) + bytes(8 * MIB)
    images = {
        name: disks.make_disk(place / f"{name}.img", 16 * MIB) for name in ("SOURCE", "TARGET")
    }
    images["SOURCE"].write_bytes(content)
    runs = []
    for _ in range(2):
        images["TARGET"].write_bytes(bytes(16 * MIB))
        stick = Volume(shutil.copyfile(usb_image, place / "stick.img"), MIB, 126 * MIB)
        stick.mkdir("/efi-img")
        stick.put(JOB.encode(), "/efi-img/job.txt")
        drives = [
            Drive("usb", stick.image, "STICK"),
            Drive("nvme", images["SOURCE"], "SOURCE"),
            Drive("ahci", images["TARGET"], "TARGET"),
        ]
        second = ("-serial", "file:second.txt")  # a console too, as OVMF has it
        with Machine(place / "machine", drives, more=(*EXIT, *second)) as machine:
            machine.expect(COUNTDOWN)
            machine.expect("The log is")
            status = machine.wait_off(status=None)
        events, log = logs(stick)
        runs.append(
            SimpleNamespace(
                status=status,
                events=events,
                log=log,
                outside=events_outside(machine),
                fsck=stick.fsck(),
                screen=(machine.directory / "screen.txt").read_text(encoding="utf-8"),
            )
        )
    image = stick.copy_out("/captured disk.qcow2", place / "captured.qcow2")
    return runs, content, images, image


def test_a_job_on_the_stick_is_done(on_stick):
    runs, content, images, image = on_stick
    for run in runs:
        assert run.status == 33 and run.fsck == "", run.screen
    oracle.check_image(image, "qcow2")
    oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", images["SOURCE"], image)
    assert images["SOURCE"].read_bytes() == images["TARGET"].read_bytes() == content


def test_its_log(on_stick):
    run = on_stick[0][0]
    starts, results = schemas.of_kind(run.events, "start"), schemas.of_kind(run.events, "result")
    assert [start["line"] for start in starts] == [
        'convert -p -O qcow2 serial=SOURCE "captured disk.qcow2"',
        'convert -p -n "captured disk.qcow2" serial=TARGET',
    ]
    writes = [{disk["device"]: disk["writes"] for disk in result["writes"]} for result in results]
    assert (
        writes[0]["serial=SOURCE"] == writes[0]["serial=TARGET"] == writes[1]["serial=SOURCE"] == 0
    )
    assert writes[0]["serial=STICK"] > 0 and writes[1]["serial=TARGET"] > 0
    assert {disk["serial"] for disk in schemas.of_kind(run.events, "devices")[0]["devices"]} == {
        "STICK",
        "SOURCE",
        "TARGET",
    }
    targets = [plan["plan"]["target"] for plan in schemas.of_kind(run.events, "plan")]
    assert (
        targets[0]["filename"] == "captured disk.qcow2"
        and targets[1]["serial"] == "TARGET"
        and len(targets) == 2
    )
    session = schemas.of_kind(run.events, "session")[0]
    # "EDK II" in Debian 12, "Debian distribution of EDK II" in Debian 13
    assert re.match(r"UEFI 2\.7, .*EDK II 0x", session["firmware"])
    assert run.events[-1] == {
        "schema": 1,
        "event": "end",
        "time": None,
        "exit": 0,
        "line": None,
        "message": None,
    }
    for words in (
        f"efi-img {session['version']} on {session['firmware']}\n",
        f"build {session['build']} for x86_64",
        f"with libdeflate {session['libraries']['libdeflate']}, zstd",
        "started from here",
        "target:  serial=TARGET",
        "(50.00/100%)",
        "The script is done.",
    ):
        assert words in run.log


def test_the_same_outside(on_stick):
    run = on_stick[0][0]
    assert run.outside == run.events
    assert "\n    (10.00/100%) copying\n" in run.screen and "MB/s" not in run.screen


def test_the_same_each_time(on_stick):
    """
    But for the writes to the stick: how many of them are those of a journal, which is written
    every five seconds.
    """
    one, two = (
        (
            re.sub(r'(serial=STICK(?:","writes")?: )\d+', r"\1n", text)
            for text in (run.log, run.screen)
        )
        for run in on_stick[0]
    )
    assert list(one) == list(two)


def test_a_key_stops_the_countdown(make_machine):
    machine = make_machine(JOB, more=EXIT + ("-device", "VGA"))
    with machine:
        machine.expect(r"begins in 5 seconds")
        machine.expect(r"begins in 4 seconds")  # there is a screen
        machine.expect(r"begins in 1 second\.")
        machine.send_at_once("x")
        machine.expect("(?i)press any key|choose an action")
    assert "logs" not in machine.stick.names("/efi-img")


def test_a_mistake_keeps_all_of_it_from_being_done(make_machine):
    machine = make_machine(
        "#efi-img job 1\ncreate made.raw 1M\nexit-code\nconvrt made.raw b\n", more=EXIT
    )
    with machine:
        machine.expect("job.txt, line 4: there is no command \"convrt\"")
        machine.wait_off(status=35)
    assert "made.raw" not in machine.stick.names()
    events, log = logs(machine.stick)
    assert (
        events[-1]["exit"] == 1 and "line 4" in events[-1]["message"] and "Nothing was run." in log
    )


def test_a_job_from_fw_cfg(make_machine, place):
    (place / "outside.txt").write_text(
        "#efi-img job 1\ncreate made.raw 1M\ncompare made.raw made.raw\ninfo none.raw\n"
        "create never.raw 1M\nexit-code\n"
    )
    machine = make_machine(
        "#efi-img job 1\ncreate stick.raw 1M\n",
        more=(*EXIT, "-fw_cfg", f"name=opt/org.efi-img/job,file={place / 'outside.txt'}"),
    )
    with machine:
        machine.expect("The script has stopped at line 4 of opt/org.efi-img/job, with exit code 1.")
        machine.wait_off(status=35)
    assert "begins in" not in (machine.directory / "screen.txt").read_text()
    assert {"made.raw"} == {name for name in machine.stick.names() if name.endswith(".raw")}
    events = logs(machine.stick)[0]
    assert events == events_outside(machine) and events[-1]["line"] == 4
    assert "none.raw: there is no such file" in schemas.of_kind(events, "result")[-1]["message"]


def test_a_job_from_smbios(make_machine):
    strings = (
        "#efi-img job 1",
        "on-success poweroff",
        "create -f qcow2 made.qcow2 1M",
        "check made.qcow2",
    )
    machine = make_machine(
        more=[
            word
            for string in strings
            for word in ("-smbios", f"type=11,value=efi-img.job={string}")
        ]
    )
    with machine:
        machine.expect("The script is done.")
        machine.expect("Switching the machine off.")
        machine.wait_off()
    assert logs(machine.stick)[0][-1]["exit"] == 0 and "made.qcow2" in machine.stick.names()


def test_a_processor_that_is_not_virtual(make_machine, place):
    """
    As far as the processor says: then nothing from outside is looked at, and nothing is written
    to the port.
    """
    (place / "outside.txt").write_text("#efi-img job 1\ncreate outside.raw 1M\nexit-code\n")
    machine = make_machine(
        "#efi-img job 1\nversion\nexit-code\non-success poweroff\n",
        more=(
            "-cpu",
            "qemu64,-hypervisor",
            *EXIT,
            "-fw_cfg",
            f"name=opt/org.efi-img/job,file={place / 'outside.txt'}",
        ),
    )
    with machine:
        machine.expect(COUNTDOWN)
        machine.wait_off(status=0)
    assert "outside.raw" not in machine.stick.names()


def test_a_stick_that_cannot_be_written_to(make_machine, place):
    """A volume on another disk takes what the job makes; that there is no log is said."""
    data = Volume(disks.make_disk(place / "data.img", 64 * MIB)).format(
        16, cluster=4096, label="DATA"
    )
    machine = make_machine(drives=[Drive("nvme", data.image, "DATA")])
    machine.stick.mkdir("/efi-img")
    machine.stick.put(b"#efi-img job 1\ncreate fs1:\\made.raw 1M\nexit-code\n", "/efi-img/job.txt")
    machine.drives[0].read_only = True
    machine.more = EXIT
    with machine:
        machine.expect("efi-img: there is no log: ")
        machine.wait_off(status=33)
    assert "made.raw" in data.names() or "made.raw" in machine.stick.names()
    assert events_outside(machine)[0]["log"] is None


@pytest.fixture(scope="module")
def from_shell(place, make_stick):
    stick = make_stick()
    stick.put(b"#efi-img job 1\r\ncreate a.raw 1M\r\non-success shell\r\n", "/good.txt")
    stick.put("#efi-img job 1\ncheck none.qcow2\ncreate b.raw 1M\n".encode("utf-16"), "/bad.txt")
    batch = Batch(stick)
    steps = SimpleNamespace(
        good=batch.run("efi-img run good.txt"),
        again=batch.run("efi-img run --check good.txt"),
        bad=batch.run("efi-img run bad.txt"),
        listed=batch.run("ls -b efi-img\\logs"),
        devices=batch.run("efi-img list --output=json"),
    )
    batch.boot(Machine(place / "machine", [Drive("usb", stick.image, "STICK")]))
    return stick, steps


def test_run_at_the_shell(from_shell):
    stick, steps = from_shell
    assert (steps.good.status, steps.again.status, steps.bad.status) == (0, 0, 1)
    assert "> create a.raw 1M\n" in steps.good.out and "The script is done." in steps.good.out
    assert (
        "at line 2 of bad.txt, with exit code 1" in steps.bad.out and "none.qcow2" in steps.bad.err
    )
    assert len(re.findall(r"\.jsonl", steps.listed.out)) == 2
    assert {"a.raw"} == {name for name in stick.names() if name.endswith(".raw")}


def test_list_is_what_its_schema_says(from_shell):
    import json

    schemas.check("list", json.loads(from_shell[1].devices.out))
