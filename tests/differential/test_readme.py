# SPDX-License-Identifier: BSD-2-Clause
"""The README's examples for Linux, as they are written there."""

import json
import os
import subprocess
import sys

import pytest

from oracle import HANG_SECONDS, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from rig.readme import examples  # noqa: E402  (found through the line above)

ON_LINUX = [example for example in examples() if example.host and example.section == "On Linux"]


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
        },
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    done = sh(ON_LINUX[0].lines, ROOT, home)
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
    done = sh(ON_LINUX[1].lines, tmp_path, installed)
    assert done.returncode == 0, done.stdout + done.stderr
    out = done.stdout
    assert "Images are identical." in out and json.loads(out[out.index("{") :])["check-errors"] == 0


def test_every_example_is_run_somewhere():
    """Here, or in tests/boot/test_readme.py, or in the tests of what they are about."""
    assert {(example.section, example.host) for example in examples()} == {
        ("efi-img", False),
        ("The stick", True),
        ("The stick", False),
        ("In the UEFI shell", False),
        ("In CI", True),
        ("On Linux", True),
    }
