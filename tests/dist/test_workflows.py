# SPDX-License-Identifier: BSD-2-Clause
"""The workflows of .github: they can be read, run what the Makefile has, and name no moving tag."""

import re

import pytest
import yaml

from conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())


def steps(path):
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield job
        yield from job.get("steps", [])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    for name in used:
        assert re.fullmatch(r"\./\.github/workflows/\w+\.yml|actions/[a-z-]+@[0-9a-f]{40}", name)
        assert not name.startswith("./") or (ROOT / name).is_file()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_targets_exist(path):
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^ *run: make .*?([\w-]+)$", path.read_text(), re.MULTILINE)
    for job in steps(path):
        targets += job.get("strategy", {}).get("matrix", {}).get("target", [])
    assert targets
    for target in targets:
        assert re.search(rf"^\.PHONY:.* {target}\b|^\.PHONY: {target}$", makefile, re.MULTILINE)
