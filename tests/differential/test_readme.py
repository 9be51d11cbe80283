# SPDX-License-Identifier: BSD-2-Clause
"""The examples for Linux in README.md and docs/, as they are written there."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from oracle import HANG_SECONDS, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from rig.readme import examples  # noqa: E402  (found through the line above)

EXAMPLES = examples()


def typed(document, section):
    """The blocks for Linux of a section."""
    return [
        example.lines
        for example in EXAMPLES
        if (example.document, example.section) == (document, section)
        and example.host
        and not example.file
    ]


def sh(lines, folder, home):
    """Runs lines as a person types them, who has installed what make install installs."""
    return subprocess.run(
        ["sh", "-eu"],
        input="\n".join(lines),
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=HANG_SECONDS,
        env={
            **os.environ,
            "HOME": str(home),
            "PATH": f"{home}/.local/bin:{os.environ['PATH']}",
            "SETUP": "skip",
            "LD_PRELOAD": "",  # eatmydata's would be loaded before the address sanitizer
        },
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    done = sh(typed("README.md", "On Linux")[0], ROOT, home)
    assert done.returncode == 0, done.stdout + done.stderr
    return home


def test_make_install(installed):
    assert os.access(installed / ".local" / "bin" / "efi-img", os.X_OK)
    done = (
        subprocess.run(
            [
                "man",
                "--warnings",
                "-l",
                installed / ".local" / "share" / "man" / "man1" / "efi-img.1",
            ],
            capture_output=True,
            text=True,
            env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
        )
        if os.path.exists("/usr/bin/man")
        else None
    )
    if done:
        assert done.returncode == 0 and done.stderr == ""


def test_make_install_somewhere_else(tmp_path, installed):
    done = sh([f"make install DESTDIR={tmp_path}/package PREFIX=/usr"], ROOT, installed)
    assert done.returncode == 0, done.stdout + done.stderr
    files = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )
    assert files == ["package/usr/bin/efi-img", "package/usr/share/man/man1/efi-img.1"]


def test_examples_on_linux(installed, tmp_path):
    done = sh(typed("README.md", "On Linux")[1], tmp_path, installed)
    assert done.returncode == 0, done.stdout + done.stderr
    out = done.stdout
    assert "Images are identical." in out and json.loads(out[out.index("{") :])["check-errors"] == 0


def test_script(installed, tmp_path):
    (lines,) = typed("docs/JOBS.md", "Scripts")
    done = sh(lines, tmp_path, installed)
    assert (done.returncode, done.stdout) == (
        0,
        "capture.txt: 2 commands, no mistakes\n",
    ), done.stderr


CONTRIBUTING = "docs/CONTRIBUTING.md"
TESTED_BY = {"A unit test": "A kind of blk"}  # the section whose files it tests


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """
    A copy of the project, with what is compiled but for what the examples compile anew. Objects are
    linked, not copied: nothing writes to them, since their sources are as old as before.
    """
    fresh = tmp_path_factory.mktemp("fresh") / "efi-img"
    shutil.copytree(ROOT, fresh, ignore=shutil.ignore_patterns(".git", "build"), symlinks=True)
    for part in ("sources", "host", "test"):
        if (ROOT / "build" / part).exists():
            shutil.copytree(
                ROOT / "build" / part,
                fresh / "build" / part,
                copy_function=os.link,
                ignore=shutil.ignore_patterns("gen", "test_*", "*.a", "efi-img", "manual"),
            )
    return fresh


@pytest.mark.parametrize(
    "section", ["A command", "An image format", "A kind of blk", "A unit test"]
)
def test_contributing(fresh, section):
    """Each adds files, changes none, and works at the first build, which compiles nothing else."""
    (commands,) = typed(CONTRIBUTING, section)
    needed = (section, TESTED_BY.get(section))
    for example in EXAMPLES:
        if example.document == CONTRIBUTING and example.section in needed and example.file:
            path = fresh / example.file
            assert not (ROOT / example.file).exists()
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(example.lines) + "\n")
    if section == "A unit test" and not (ROOT / "build/test/core.a").exists():
        pytest.skip("make test-unit has not compiled the core for unit tests")
    done = sh(commands, fresh, fresh)
    assert done.returncode == 0, done.stdout + done.stderr
    compiled = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  CC ")]
    if section != "A unit test":  # whose objects need not be up to date here
        assert not [name for name in compiled if "build/gen" not in name and (ROOT / name).exists()]


def test_every_example_is_run_somewhere():
    """Here, or in tests/boot/test_readme.py, or in the tests of what they are about."""
    assert {(example.document, example.section, example.host) for example in EXAMPLES} == {
        ("README.md", "Put it on a stick", True),
        ("README.md", "Capture, restore, create", False),
        ("README.md", "On Linux", True),
        ("docs/COMMANDS.md", "In the UEFI shell", False),
        ("docs/COMMANDS.md", "Boot entries", True),
        ("docs/COMMANDS.md", "Boot entries", False),
        ("docs/CONTRIBUTING.md", "A command", True),
        ("docs/CONTRIBUTING.md", "An image format", True),
        ("docs/CONTRIBUTING.md", "A kind of blk", True),
        ("docs/CONTRIBUTING.md", "A unit test", True),
        ("docs/JOBS.md", "Scripts", True),
        ("docs/JOBS.md", "In CI", True),
    }


def test_times():
    """`make help` and tests/README.md have the time of each part of `make test`."""
    told = subprocess.run(
        ["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = re.split(r"^make ", told.stdout, flags=re.MULTILINE)
    times = {
        line.split()[0]: re.search(r"\(([^)]*minutes?)", " ".join(line.split()))
        for line in lines
        if line
    }
    parts = re.search(r"^TESTS := ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)/` \|.*$", (ROOT / "tests/README.md").read_text(), re.MULTILINE)
    readme = (ROOT / "tests/README.md").read_text()
    for part in parts[1].replace("\\", "").split():
        assert times[part], f"make help has no time of {part}"
        if part != "test-unit-arch":  # no folder of its own
            assert f"`make {part}` ({times[part][1]})" in readme
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert set(rows) == folders - {"__pycache__"}
