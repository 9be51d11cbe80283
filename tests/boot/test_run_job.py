# SPDX-License-Identifier: BSD-2-Clause
"""scripts/run-job, as docs/JOBS.md has it for CI."""

import os
import random
import re
import shutil
import subprocess
import sys

import pytest
import yaml

import oracle
from conftest import ROOT
from rig.disks import MIB
from rig.readme import block

sys.path.insert(0, str(ROOT / "tests" / "schema"))
import schemas  # noqa: E402  (found through the line above)


def run(place, command):
    return subprocess.run(
        ["bash", "-euc", command],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=1800,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


@pytest.fixture(scope="module")
def folder(place):
    """Where somebody has cloned efi-img beside a disk."""
    (place / "efi-img").symlink_to(ROOT)
    (place / "system.img").write_bytes(random.Random(8).randbytes(10 * MIB) + bytes(54 * MIB))
    return place


def test_as_in_the_document(folder):
    done = run(folder, block("docs/JOBS.md", "In CI", "sh"))
    assert done.returncode == 0, done.stdout + done.stderr
    oracle.qemu_img("check", folder / "result" / "system.qcow2")
    oracle.qemu_img(
        "compare",
        "-f",
        "raw",
        "-F",
        "qcow2",
        folder / "system.img",
        folder / "result" / "system.qcow2",
    )
    assert (folder / "copy.img").read_bytes() == (folder / "system.img").read_bytes()
    events = schemas.events((folder / "result/efi-img/logs/0001.jsonl").read_text())
    assert (
        events[-1]["exit"] == 0
        and "The script is done." in (folder / "result/efi-img/logs/0001.log").read_text()
    )
    assert '{"schema"' not in done.stdout and "> check system.qcow2\n" in done.stdout
    steps = re.findall(r"^run-job: \d+\.\d s: (.*)$", done.stderr, re.M)
    assert steps[0] == "the firmware has started" and [step.split()[0] for step in steps[1:]] == [
        "capture",
        "check",
        "restore",
        "hash",
    ]
    assert all(step.endswith(": done") for step in steps[1:])
    assert sorted(path.name for path in (folder / "result").iterdir()) == [
        "efi-img",
        "system.qcow2",
        "system.qcow2.manifest",
    ]


def test_the_workflow_in_the_document(folder, tmp_path):
    """
    Its steps as they are written, by the shell that GitHub runs them with, where git brings this
    tree and apt-get has nothing to do; scripts/test-release runs them in a bare Debian.
    """
    workflow = yaml.safe_load(block("docs/JOBS.md", "On GitHub", "yaml"))
    (job,) = workflow["jobs"].values()
    assert job["container"].startswith("debian:") and set(workflow["env"]) == {"EFI_IMG"}
    bin = tmp_path / "bin"
    bin.mkdir()
    # the build asks git for the version
    git = f'[ "$1" = clone ] && exec ln -s {ROOT} "$3"; exec {shutil.which("git")} "$@"'
    for name, text in (("git", git), ("apt-get", ":")):
        (bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin / name).chmod(0o755)
    steps = [step["run"] for step in job["steps"] if "run" in step]
    for step in steps:
        done = subprocess.run(
            ["sh", "-ec", step],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                **workflow["env"],
                "LC_ALL": "C.UTF-8",
                "SETUP": "skip",
                "PATH": f"{bin}:{os.environ['PATH']}",
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (upload,) = [step for step in job["steps"] if "uses" in step]
    oracle.qemu_img("check", tmp_path / upload["with"]["path"] / "system.qcow2")


def test_files_and_a_failure(folder):
    """What is there when a job fails comes back as well."""
    (folder / "given").mkdir()
    oracle.qemu_img("create", "-q", "-f", "qcow2", folder / "given" / "a.qcow2", "1M")
    (folder / "given" / "data.raw").write_bytes(random.Random(9).randbytes(MIB))
    (folder / "failing.txt").write_text(
        "#efi-img job 1\nresize in\\a.qcow2 2M\ncreate here.raw 1M\n"
        "convert -n in\\data.raw serial=S\ncreate never.raw 1M\n"
    )
    (folder / "small.img").write_bytes(bytes(4096))
    done = run(
        folder,
        "efi-img/scripts/run-job -q -s 128 -f given=in -d small.img,serial=S,bus=usb"
        " -o failed - < failing.txt",
    )
    assert done.returncode == 13, done.stdout + done.stderr
    assert done.stdout == "" and re.search(
        r"^run-job: convert -n in\\data\.raw serial=S: exit code 13: .*too small.*\n"
        r"run-job: the log is in failed/efi-img/logs\n\Z",
        done.stderr,
        re.MULTILINE,
    ), done.stderr
    assert " s: " not in done.stderr
    assert oracle.info(folder / "failed/in/a.qcow2")["virtual-size"] == 2 * MIB
    assert (folder / "failed/here.raw").exists() and not (folder / "failed/never.raw").exists()
    assert schemas.events((folder / "failed/efi-img/logs/0001.jsonl").read_text())[-1]["line"] == 4


@pytest.mark.parametrize(
    "words, said",
    [
        ("", "the following arguments are required: JOB"),
        ("none.txt", "none.txt"),
        ("-d none.img failing.txt", "none.img is not there"),
        ("-d small.img,sn=1 failing.txt", "sn=1 is none of serial="),
        (
            "-d small.img,serial=S,bus=virtio-blk failing.txt",
            "no serial numbers for disks of virtio",
        ),
        ("-f none failing.txt", "none is not there"),
        ("-s 5 failing.txt", "at least 128 MiB"),
    ],
)
def test_what_is_wrong(folder, words, said):
    (folder / "failing.txt").touch()
    (folder / "small.img").touch()
    done = run(folder, f"efi-img/scripts/run-job -o wrong {words}")
    assert done.returncode in (2, 125) and said in done.stderr


def test_its_help(folder):
    done = run(folder, "efi-img/scripts/run-job --help")
    assert done.returncode == 0
    for word in ("--file", "--disk", "--out", "--timeout", "exit status"):
        assert word in done.stdout
