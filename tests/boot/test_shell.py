# SPDX-License-Identifier: BSD-2-Clause
r"""
What the UEFI shell does with it: redirections, pipes, scripts, its own help, completed names,
screenfuls. The stick is the one of make usb, with the manual and the script that are on it.
"""

import json
import re

import pytest

import oracle
from conftest import ROOT, STICK
from rig import disks
from rig.disks import MIB, Volume
from rig.gate import Gate
from rig.machine import CTRL_C, ENTER, Drive, Machine
from rig.shell import Batch, Shell

SCRIPTS = {
    "codes.nsh": [
        "@echo -off",
        "efi-img info missing.qcow2",
        "if %lasterror% == 1 then",
        "  echo one",
        "endif",
        "efi-img check -f raw small.raw",
        "if %lasterror% == 0x3F then",
        "  echo sixty-three",
        "endif",
        "efi-img convert -n small.raw serial=DISK",
        "if %lasterror% == 0xC then",
        "  echo twelve",
        "endif",
        "efi-img compare -q small.raw dir\\other.raw",
        "if not %lasterror% == 0 then",
        "  echo different",
        "endif",
        "efi-img compare -q small.raw small.raw",
        "if %lasterror% == 0 then",
        "  echo none",
        "endif",
    ],
    "pipe.nsh": [
        "@echo -off",
        'efi-img info small.raw | parse -s 0 "virtual size" 1',
    ],  # the line that begins so
    "long.nsh": [r"efi-img create -f raw fs1:\long.raw 3G", "echo THE SCRIPT WENT ON"],
}


@pytest.fixture(scope="module")
def stick(place, program):
    image = place / "usb.img"
    disks.run(ROOT / "scripts" / "make-usb", program, image, *STICK)
    stick = Volume(image, MIB, 126 * MIB)
    stick.remove("/EFI/BOOT/BOOTX64.EFI")  # or the shell would not come
    stick.put(b"\x55" * MIB, "/small.raw")
    stick.put(b"\x55" * 1024, "/with space.raw")
    stick.mkdir("/dir")
    stick.put(b"\x56" * 2048, "/dir/other.raw")
    for name, lines in SCRIPTS.items():
        stick.put("".join(line + "\r\n" for line in lines).encode(), f"/{name}")
    return stick


# ---- what is redirected, and what a script sees ----


@pytest.fixture(scope="module")
def done(place, stick):
    """A batch: its steps by a name, and files that other steps have made."""
    disk = disks.make_disk(place / "disk.img", 8 * MIB)
    with open(disk, "r+b") as file:
        file.write(bytes(range(256)) * 4096)
    batch = Batch(stick)
    lines = {
        "info": "efi-img info small.raw",
        "missing": "efi-img info missing.raw",
        "progress": "efi-img convert -p small.raw copy.raw",
        "compare": "efi-img compare -p small.raw copy.raw",
        "wildcard": r"efi-img hash %stick%\SMALL.* c*.raw",
        "codes": "codes.nsh",
        "mistyped": "efi-img conver",
        "help": "help efi-img",
        "question": "efi-img -?",
        "section": "help efi-img -section convert",
        "overview": "efi-img help",
        "convert": "efi-img help convert",
        "pipe": "pipe.nsh",
        "capture": r"capture serial=DISK %stick%\pc.qcow2",
        "capture again": r"capture serial=DISK %stick%\pc.qcow2",
        "capture nothing": "capture serial=DISK",
    }
    steps = {name: batch.run(line) for name, line in lines.items()}
    for line in (
        r"efi-img info small.raw >a \ascii.txt",
        r"efi-img hash small.raw >>a \ascii.txt",
        r"efi-img info small.raw >v infos",
        r"echo %infos% >a \variable.txt",
        r"efi-img info --output=json small.raw > \info.json",
        r"efi-img list --output=json >a \list.json",
    ):
        batch.do(line)
    batch.boot(
        Machine(place / "batch", [Drive("usb", stick.image, "STICK"), Drive("ahci", disk, "DISK")])
    )
    return steps


INFO = "image: small.raw\nfile format: raw\nvirtual size: 1 MiB (1048576 bytes)\ndisk size: 1 MiB\n"


def test_results_go_where_they_are_redirected(done, stick):
    assert (done["info"].out, done["info"].err, done["info"].status) == (INFO, "", 0)
    ascii_text = stick.get("/ascii.txt").decode("ascii").replace("\r\n", "\n")
    assert re.fullmatch(re.escape(INFO) + "[0-9a-f]{64}  small.raw\n", ascii_text)
    assert stick.get("/variable.txt").decode("ascii").replace("\r\n", "\n").strip() == INFO.strip()
    assert json.loads(stick.get("/info.json").decode("utf-16"))["virtual-size"] == MIB
    assert "DISK" in [device["serial"] for device in json.loads(stick.get("/list.json"))]


def test_errors_and_progress_do_not(done):
    assert done["missing"].out == "" and re.fullmatch(
        r"efi-img: .*missing\.raw: .*\n", done["missing"].err
    )
    assert done["missing"].status == 1
    assert done["progress"].out == "" and done["progress"].err.startswith("    (0.00/100%) copying")
    assert (
        done["compare"].out == "Images are identical.\n"
        and "(100.00/100%) comparing" in done["compare"].err
    )
    assert done["mistyped"].out == "" and "did you mean convert?" in done["mistyped"].err


def test_wildcards(done):
    """The shell does not expand them for a program."""
    names = [line.split("  ")[1].lower() for line in done["wildcard"].out.splitlines()]
    assert [name.split("\\")[-1] for name in names] == ["small.raw", "copy.raw"], names
    assert done["wildcard"].status == 0


def test_results_go_through_a_pipe(done):
    assert done["pipe"].out.strip() == "virtual size: 1 MiB (1048576 bytes)"


def test_scripts_see_the_exit_codes(done):
    words = [
        line
        for line in done["codes"].out.splitlines()
        if line in ("one", "sixty-three", "twelve", "different", "none")
    ]
    assert words == ["one", "sixty-three", "twelve", "different", "none"], (
        done["codes"].out + done["codes"].err
    )


def test_the_shell_has_its_help(done):
    overview = done["overview"].out.strip()
    assert (
        done["help"].status == 0
        and overview in done["help"].out
        and "efi-img - disks and disk images" in done["help"].out
    )
    assert done["question"].out == done["help"].out
    assert done["section"].out.strip() == done["convert"].out.strip()
    for step in ("help", "section"):
        # The first line of the help has the version, which is as long as its commit makes it.
        text = re.sub(r"(?m)^efi-img \d\S+:", "efi-img:", done[step].out)
        assert max(len(line) for line in text.splitlines()) < 80


def test_the_script_on_the_stick_captures_and_verifies(done, place, stick):
    step = done["capture"]
    assert step.status == 0 and step.out.splitlines()[-1].endswith(
        r"\pc.qcow2 is serial=DISK, checked."
    ), (step.out + step.err)
    assert re.search(r"pc\.qcow2: OK$", step.out, re.MULTILINE)
    oracle.check_image(stick.copy_out("/pc.qcow2", place / "pc.qcow2"), "qcow2")
    oracle.qemu_img("compare", "-f", "raw", "-F", "qcow2", place / "disk.img", place / "pc.qcow2")


def test_the_script_on_the_stick_fails_with_the_exit_code(done):
    """The image is there already: the second run touches nothing, and says so."""
    step = done["capture again"]
    assert (
        step.status == 1
        and "exists" in step.err
        and step.out.splitlines()[-1] == "serial=DISK could not be captured."
    )
    assert (
        done["capture nothing"].status == 1
        and "usage: capture DISK IMAGE" in done["capture nothing"].out
    )


# ---- at the keyboard ----

PAGE = "ENTER"  # what the shell says at the end of a screenful


@pytest.fixture(scope="module")
def typed(place, stick, done):
    other = Volume(disks.make_disk(place / "other.img", 8192 * MIB)).format(32, cluster=4096)
    stick.remove("/startup.nsh")  # of the batch
    typed = {"other": other}
    drives = [Drive("usb", stick.image, "STICK"), Drive("nvme", other.image, gate=Gate())]
    with Machine(place / "typed", drives) as machine:
        shell = Shell(machine)
        shell.run("fs0:")
        # Names as the shell completes them, and as people write them.
        for name, keys in (("relative", "sm\t"), ("directory", "dir\\ot\t"), ("space", "with\t")):
            machine.send(f"efi-img info {keys}")
            machine.send(ENTER)
            typed[name] = shell.prompt(), shell.status()
        for name, line in (
            ("volume", r"FS0:\EFI-IMG.EFI info FS0:\DIR\OTHER.RAW"),
            ("quoted", r'efi-img info "fs0:\with space.raw"'),
            ("current", r"efi-img info .\small.raw"),
        ):
            typed[name] = shell.run(line), shell.status()
        interrupt(machine, shell, drives[1].gate, typed)
        page(machine, shell, typed)
        shell.power_off()
    return typed


def interrupt(machine, shell, gate, typed):
    """
    Ctrl-C during the first command of a script. One that had started this script would go on:
    the shell forgets it so soon.
    """
    gate.crawl(8 * MIB)
    shell.type("long.nsh")
    with machine.stopped_at(gate):
        machine.send_stopped(CTRL_C)
    typed["interrupted"] = shell.prompt(), shell.status()


def page(machine, shell, typed):
    """
    A help of several screens: one of them, then q; and that the next command has it off again.
    """
    shell.type("efi-img help -b convert")
    machine.expect(PAGE)
    typed["first screen"] = machine.console.before
    machine.send(ENTER)
    machine.expect(PAGE)
    typed["second screen"] = machine.console.before
    machine.send("q")
    typed["left"] = shell.prompt()
    typed["after"] = shell.run("efi-img help convert"), shell.status()


@pytest.mark.parametrize(
    "name, file",
    [
        ("relative", "small.raw"),
        ("directory", "other.raw"),
        ("space", "with space.raw"),
        ("volume", "OTHER.RAW"),
        ("quoted", "with space.raw"),
        ("current", "small.raw"),
    ],
)
def test_names_as_the_shell_has_them(typed, name, file):
    text, status = typed[name]
    assert status == 0 and re.search(rf"image: .*{re.escape(file)}\n", text), text


def test_ctrl_c_stops_the_script(typed):
    text, status = typed["interrupted"]
    assert "stopped" in text and "WENT ON" not in text and status != 0
    assert typed["other"].names() == []


def test_screenfuls(typed):
    assert (
        "Usage: efi-img convert" in typed["first screen"]
        and "--target-is-zero" not in typed["first screen"]
    )
    assert "Usage:" not in typed["second screen"] and len(typed["second screen"].splitlines()) <= 50
    assert "Exit codes:" not in typed["left"]
    assert "Exit codes:" in typed["after"][0] and typed["after"][1] == 0
