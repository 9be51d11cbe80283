# SPDX-License-Identifier: BSD-2-Clause
"""
All command lines of cases.py in one boot: typed at the prompt of U-Boot, and in the UEFI shell of
EDK2 as a startup.nsh whose output is in files. Then each is held against what qemu-img prints and
makes, and the disks against the one that was copied.
"""

import json
import re
import shutil
from types import SimpleNamespace

import oracle
import pytest
import schemas
from cases import ALSO_BY_QEMU_IMG, CREATED, OWN
from commands import CASES, comparable_output, judge, make_images, run_theirs
from conftest import ROOT
from rig import disks
from rig.disks import LINUX, MIB, Partition, Volume
from rig.machine import Drive, Machine
from rig.shell import Batch
from rig.u_boot import Prompt
from shared import CUTS, SIZE, faults_of, make_source, sha256

BACKING = {"top.qcow2": "over.qcow2", "over.qcow2": "base.qcow2"}
JOB = "#efi-img job 1\nlist\nhash {source}\n"


class Selector(str):
    """A disk by its stable name."""

    @property
    def word(self):
        return self.partition("=")[2]


class Setting:
    """The disks of the machine, and what the words in braces of a line stand for."""

    def __init__(self, board, place, program):
        self.board, self.place = board, place
        self.source, self.target, self.spare = (
            place / f"{name}.img" for name in ("source", "target", "spare")
        )
        guids = {"source": make_source(self.source)}
        for path in (self.target, self.spare):
            disks.make_disk(path, SIZE)
            guids[path.stem] = disks.write_gpt(path, [Partition(MIB, MIB, LINUX, "old")])
        self.before = sha256(self.source)
        self.stick = self._make_stick(program)
        guids["boot"] = guid_of(self.stick.image)
        self.words = {
            name: Selector(f"guid={guid}" if board.is_u_boot else f"serial={name.upper()}")
            for name, guid in guids.items()
        }
        self.words.update(sha256=self.before, processor=board.processor)
        self.stick.put(JOB.format(**self.words).encode(), "/job.txt")

    def _make_stick(self, program):
        """With a shell for firmware that has none, and the program only to be typed."""
        image = self.place / "stick.img"
        # room for the images of each line, in a directory of its own
        size = 128 if self.board.is_u_boot else 256
        disks.run(ROOT / "scripts" / "make-usb", "-s", size, program, image)
        stick = Volume(image, MIB, image.stat().st_size - 2 * MIB)
        stick.remove(self.board.boot_name())
        if self.board.shell:
            stick.put(self.board.shell, self.board.boot_name())
        qcow2 = self.place / "image.qcow2"
        oracle.qemu_img("convert", "-f", "raw", "-O", "qcow2", "-c", self.source, qcow2)
        stick.put(qcow2, "/image.qcow2")
        return stick

    def machine(self):
        bus = self.board.bus
        drives = [
            Drive(bus, self.stick.image, "BOOT", first=not self.board.is_u_boot),
            Drive(bus, self.source, "SOURCE"),
            Drive(bus, self.target, "TARGET"),
            Drive(bus, self.spare, "SPARE"),
        ]
        return Machine(self.place / "machine", drives, board=self.board)

    def line_of(self, name):
        return CASES[name].line if name in CASES else OWN[name].line.format(**self.words)


def guid_of(image):
    """The GUID of its GPT."""
    return re.search(r"GUID\): (\S+)", disks.run("sgdisk", "-p", image))[1].lower()


def give(images, case, folder):
    """Copies the images that a line names, and their backing files, into a new folder."""
    folder.mkdir(parents=True)
    names = [word for word in re.split("[ =]", case.line) if (images / word).is_file()]
    for name in names:
        shutil.copyfile(images / name, folder / name)
        names += [BACKING[name]] if name in BACKING else []
    return folder


def run_in_shell(setting, images):
    """Each line that qemu-img runs as well in a directory of its own, with its images."""
    stick, ours = setting.stick, setting.place / "ours"
    batch = Batch(stick)
    steps = {}
    for name in ALSO_BY_QEMU_IMG:
        given = give(images, CASES[name], setting.place / "given" / name)
        disks.run("mcopy", "-s", "-i", stick.drive, given, "::/")
        batch.do(f"cd \\{name}")
        steps[name] = batch.run(rf"\efi-img.efi {CASES[name].line}")
    batch.do("cd \\")
    for name in OWN:
        steps[name] = batch.run(f"efi-img.efi {setting.line_of(name)}")
    batch.boot(setting.machine())
    ours.mkdir()
    for name in ALSO_BY_QEMU_IMG:
        stick.copy_out(f"/{name}", ours)
    return steps


def run_at_prompt(setting, images):
    """All of them with the same images, of which none may change."""
    for image in images.iterdir():
        setting.stick.put(image, f"/{image.name}")
    with setting.machine() as machine:
        prompt = Prompt(machine)
        return {name: prompt.run(setting.line_of(name)) for name in (*ALSO_BY_QEMU_IMG, *OWN)}


@pytest.fixture(scope="module")
def session(board, place, program):
    """All lines were run: the steps by name, and the folders with what they left."""
    setting, images = Setting(board, place, program), make_images(place / "images")
    run = run_at_prompt if board.is_u_boot else run_in_shell
    return SimpleNamespace(setting=setting, images=images, steps=run(setting, images))


def check_refusal(session, name, files):
    """U-Boot: nothing was made, nothing was changed."""
    step, stick = session.steps[name], session.setting.stick
    text = " ".join(step.out.split())
    assert step.status != 0 and CUTS in text, f"{step.line}: exit {step.status}\n{step.out}"
    for file in files:
        before = session.images / file
        assert (
            stick.get(f"/{file}") == before.read_bytes()
            if before.exists()
            else file not in stick.names()
        )


@pytest.mark.parametrize("name", ALSO_BY_QEMU_IMG)
def test_as_qemu_img(board, place, session, name):
    case, step = CASES[name], session.steps[name]
    if board.is_u_boot and case.changes:
        check_refusal(session, name, case.changes)
        return
    theirs = give(session.images, case, place / "theirs" / name)
    text, status = run_theirs(case, theirs)
    assert (step.status, status) == (case.status,) * 2, f"{step.line}\n{step.out}{step.err}"
    # at the prompt of U-Boot, errors come first in the same text
    out = re.sub(r"\A(?:(?:ERROR|Leaked cluster) .*\n)+\n*", "", step.out)
    assert comparable_output(out) == comparable_output(text)
    for file in case.changes:
        judge(place / "ours" / name / file, theirs / file)


@pytest.mark.parametrize("name", OWN)
def test_own(board, place, session, name):
    case, step, setting = OWN[name], session.steps[name], session.setting
    if board.is_u_boot and case.image and not case.forward:
        check_refusal(session, name, [case.image])
        return
    says = re.sub(r"\{(\w+)\}", lambda word: re.escape(setting.words[word[1]]), case.says)
    printed = " ".join((step.out + step.err).split())
    assert step.status == case.status, f"{step.line}: exit {step.status}\n{step.out}{step.err}"
    assert re.search(says, printed), f"{step.line}\n{step.out}{step.err}"
    if case.image:
        image = setting.stick.copy_out(f"/{case.image}", place / case.image)
        oracle.check_image(image, case.form)
        if case.new:
            assert oracle.info(image, case.form)["virtual-size"] == CREATED
        else:
            oracle.qemu_img("compare", "-f", "raw", "-F", case.form, setting.source, image)
    if case.writes:
        assert sha256(place / f"{case.writes}.img") == setting.before


def test_the_list_is_what_the_schema_says(session):
    answer = json.loads(session.steps["list-json"].out)
    schemas.check("list", answer)
    sizes = [disk["size"] for disk in answer]
    assert sizes.count(SIZE) == 3 and len(sizes) == 4


def test_the_source_was_not_written(session):
    assert sha256(session.setting.source) == session.setting.before


def test_the_stick_is_sound(board, session):
    assert faults_of(board, session.setting.stick) == ""
