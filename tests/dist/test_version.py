# SPDX-License-Identifier: BSD-2-Clause
"""scripts/version: what a tree calls itself, and what the program says that was built from it."""

import os
import re
import subprocess

import pytest
from conftest import ROOT, git, run

BASE = (ROOT / "VERSION").read_text().strip()


def version(tree, *words, **more):
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return run(tree / "scripts" / "version", *words, env={**env, **more}).strip()


def head(tree):
    return git(tree, "rev-parse", "HEAD").strip()


def test_program_names_the_tree():
    build = version(ROOT, "--build")
    assert run(ROOT / "build/host/efi-img", "--version").startswith(
        f"efi-img version {version(ROOT)} ({os.uname().machine})\nbuild {build}\nwith libdeflate "
    )
    assert build.encode() in (ROOT / "build/x86_64/efi-img.efi").read_bytes()


def test_without_a_tag_commits_since_VERSION_was_changed_are_counted(clone):
    assert version(clone) == f"{BASE}-0-g{head(clone)[:12]}"
    git(clone, "commit", "-q", "--allow-empty", "-m", "one more")
    assert version(clone) == f"{BASE}-1-g{head(clone)[:12]}"
    assert version(clone, "--build") == head(clone)


def test_tag_and_commits_after_it(clone):
    git(clone, "tag", "v7.8.9")
    assert version(clone) == "7.8.9"
    git(clone, "commit", "-q", "--allow-empty", "-m", "one more")
    assert version(clone) == f"7.8.9-1-g{head(clone)[:12]}"


def test_what_was_changed_is_dirty(clone):
    git(clone, "tag", "v7.8.9")
    (clone / "notes.txt").write_text("not compiled")
    os.utime(clone / "VERSION")
    assert version(clone) == "7.8.9"
    (clone / "core/base/more.c").write_text("/* compiled, because it is there */")
    assert version(clone) == "7.8.9-dirty"
    (clone / "core/base/more.c").unlink()
    (clone / "LICENSE").write_text("another")
    assert version(clone) == "7.8.9-dirty"
    assert version(clone, "--build") == f"{head(clone)}-dirty"


def test_time_is_that_of_the_commit_unless_SOURCE_DATE_EPOCH_is_set(clone):
    assert version(clone, "--epoch") == git(clone, "log", "-1", "--format=%ct").strip()
    assert version(clone, "--epoch", SOURCE_DATE_EPOCH="1234567890") == "1234567890"


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "1 2"])
def test_a_SOURCE_DATE_EPOCH_that_is_no_time_is_refused(clone, value):
    words = [clone / "scripts" / "version"]
    done = subprocess.run(
        words, env={**os.environ, "SOURCE_DATE_EPOCH": value}, capture_output=True, text=True
    )
    assert done.returncode == 1 and f"SOURCE_DATE_EPOCH={value}" in done.stderr


def test_CDPATH_of_the_caller_changes_nothing(clone):
    """Neither where a script goes nor what it prints."""
    env = {**os.environ, "CDPATH": f".:{clone}:/"}
    assert run("scripts/version", cwd=clone, env=env).strip() == version(clone)
    names = git(ROOT, "grep", "-lE", "^#!/bin/bash", "--", "scripts", ".ci").split()
    names += git(ROOT, "grep", "-lF", "# shellcheck shell=bash", "--", "scripts", ".ci").split()
    for name in names:
        text = (ROOT / name).read_text()
        assert not re.search(r"(?<![a-z-])cd ", text) or "\nunset CDPATH" in text, name


def test_source_archive_knows_what_it_is(clone, tmp_path):
    text = version(clone, "--archive")
    assert re.fullmatch(rf"{re.escape(version(clone))}\n{head(clone)}\n\d+", text)
    tree = tmp_path / "unpacked"
    tree.mkdir()
    git(clone, "archive", "-o", "../archive.tar", "HEAD")
    run("tar", "-xf", tmp_path / "archive.tar", "-C", tree)
    assert version(tree) == BASE and version(tree, "--build") == "unknown"
    (tree / ".archive-version").write_text(text + "\n")
    assert version(tree, "--archive") == text
