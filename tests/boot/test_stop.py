# SPDX-License-Identifier: BSD-2-Clause
r"""
What stops a job, and what does not: real keys, while a disk is captured from the menu and by a job
on the stick. Esc does not, from a keyboard or from a serial line, nor do the keys of which the
firmware's terminal makes Esc (F1, F5, Delete, Alt-x). Ctrl-C asks; the copying goes on meanwhile. A
result stays until Enter. The captures are from slow disks, and are stopped before their end.
"""

import re
from types import SimpleNamespace

import pytest

from conftest import ROOT
from rig import disks
from rig.disks import MIB, Volume
from rig.machine import CTRL_C, ENTER, ESCAPE, Drive, Machine

START, ASKED, RUNNING = "Choose an action", r"Stop\? y = yes", "Running. Ctrl-C"
# The bar of the copy. What has arrived of it may be half of the new number and half of the old one.
LINE = r"^\| Copying +[#-]+ +(\d+\.\d) %"
SIZE = 96 * MIB
RATE = MIB  # bytes per second
KEYS = {
    "Esc": ESCAPE,
    "F1": ESCAPE + "OP",
    "F5": ESCAPE + "[15~",
    "Delete": ESCAPE + "[3~",
    "Alt-x": ESCAPE + "x",
    "q, y and Enter": "qy" + ENTER,
}


@pytest.fixture(scope="module")
def drives(place, program):
    stick, full = place / "stick.img", place / "full.img"
    disks.run(ROOT / "scripts" / "make-usb", program, stick)
    full.write_bytes(bytes(range(1, 256)) * (SIZE // 255) + b"x" * (SIZE % 255))
    return [Drive("usb", stick, "THE-STICK"), Drive("nvme", full, "FULL-1234", slow_reads=RATE)]


def percent(screen):
    return float(re.search(LINE, screen, re.MULTILINE)[1])


def further(machine):
    """
    Waits until the copy is further than it is now, so that keys that were sent before have been
    met.
    """
    before = percent(machine.see(LINE))
    while percent(screen := machine.see(LINE)) < before + 1:
        machine.expect(r"\d")
    return screen


def number_of(screen, what):
    return re.search(rf"^\|[ >]+(\d+)  .*{what}", screen, re.MULTILINE)[1]


def begin_capture(machine):
    for keys, until in (
        ("1", "Choose the disk to read"),
        ("{FULL-1234}", "Change a setting"),
        (ENTER, "Where should the new image be"),
        ("{EFI-IMG}", "Choose a directory"),
        ("1", "FULL-1234"),
        (ENTER, "to start"),
    ):
        wanted = re.fullmatch("{(.*)}", keys)
        machine.send(number_of(machine.screen(), wanted[1]) if wanted else keys)
        machine.see(until)
        machine.see(r"^\+-{70,}\+$")  # the page's lower border, which is drawn last
    machine.send("y" + ENTER)
    machine.see(LINE)


@pytest.fixture(scope="module")
def menu(place, drives):
    seen = {}
    with Machine(place / "menu", drives) as machine:
        machine.see(START)
        begin_capture(machine)
        for name, keys in KEYS.items():
            machine.send(keys)
            seen[name] = further(machine)
        machine.qmp("send-key", keys=[{"type": "qcode", "data": "esc"}])
        seen["Esc of a keyboard"] = further(machine)
        machine.send(CTRL_C)
        machine.see(ASKED)
        seen["asked"] = machine.see(LINE)
        seen["asked, further"] = further(machine)
        machine.send("n")
        machine.see(RUNNING)
        seen["no"] = further(machine)
        machine.send(CTRL_C)
        machine.see(ASKED)
        machine.see(RUNNING)  # nobody has answered
        seen["no answer"] = further(machine)
        machine.send(CTRL_C)
        machine.see(ASKED)
        machine.send("y")
        seen["result"] = machine.see("Press Enter to continue")
        machine.send("x" + CTRL_C + "6")  # on the start screen, 6 opens the tools
        machine.send(ENTER)
        seen["after it"] = machine.see(START + "|Which\\?")
    return seen


@pytest.mark.parametrize("name", [*KEYS, "Esc of a keyboard"])
def test_no_other_key_stops_or_asks(menu, name):
    assert "Copying" in menu[name] and re.search(RUNNING, menu[name]), menu[name]


def test_ctrl_c_asks_and_the_copy_goes_on(menu):
    assert re.search(ASKED, menu["asked, further"]) and percent(menu["asked, further"]) > percent(
        menu["asked"]
    )


@pytest.mark.parametrize("name", ["no", "no answer"])
def test_without_a_yes_it_goes_on(menu, name):
    assert "Copying" in menu[name] and re.search(RUNNING, menu[name]), menu[name]


def test_yes_stops_it(menu):
    words = " ".join(menu["result"].split())  # in lines of the screen
    assert "Stopped" in words and "stopped before all of it was copied" in words, menu["result"]


def test_the_result_stays_until_enter(menu):
    assert START in menu["after it"]


@pytest.fixture(scope="module")
def job(place, drives):
    """The same of a job, whose screen is a serial line alone: steps of ten percent."""
    stick = Volume(drives[0].image, MIB, 126 * MIB)
    stick.mkdir("/efi-img") if "efi-img" not in stick.names() else None
    stick.put(
        b"#efi-img job 1\r\nconvert -p -c -O qcow2 serial=FULL-1234 job.qcow2\r\n"
        b"on-failure wait\r\n",
        "/efi-img/job.txt",
    )
    seen = SimpleNamespace()
    with Machine(place / "job", drives) as machine:
        machine.expect(r"\(0\.00/100%\) copying")
        machine.send(ESCAPE + CTRL_C)
        machine.expect(ASKED)
        machine.send("n")
        machine.expect(r"\(10\.00/100%\) copying")  # it goes on
        machine.send(CTRL_C)
        machine.expect(ASKED)
        machine.send(CTRL_C)
        machine.expect("Press Enter to continue")
        seen.text = machine.console.before
        machine.send("x" + ENTER)
        machine.expect("BdsDxe|Boot Manager|Shell>")
    seen.names = stick.names()
    return seen


def test_a_job_asks_as_well(job):
    assert (
        "stopped before all of it was copied" in job.text and "exit code 15" in job.text
    ), job.text
    assert "job.qcow2.resume" in job.names
