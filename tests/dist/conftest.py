# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of a release share: the tree, and clones of it whose history they may change."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "schema")]
sys.dont_write_bytecode = True
ARCHES = ("x86_64", "aarch64", "ia32", "riscv64")


def run(*command, **options):
    """What a command prints; it must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stderr.decode()}"
    return done.stdout.decode()


def git(tree, *words):
    return run("git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words, cwd=tree)


@pytest.fixture
def clone(tmp_path):
    """
    A repository without changes that has this tree's scripts, VERSION and changelog as its only
    commit, and the built files beside them.
    """
    tree = tmp_path / "clone"
    tree.mkdir()
    for name in ("scripts", "build"):
        (tree / name).mkdir()
    for name in (
        *("VERSION", "LICENSE", ".gitignore"),
        *("docs/CHANGELOG.md", "core/base/version.h", "efi/processors.mk"),
    ):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    for path in (ROOT / "scripts").iterdir():
        if path.is_file():
            shutil.copy(path, tree / "scripts")
    for name in (*ARCHES, "host", "sources", "efi-img.1", "efi-img.man"):
        (tree / "build" / name).symlink_to(ROOT / "build" / name)
    git(tree, "init", "-q", "-b", "main")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "all of it")
    return tree
