# SPDX-License-Identifier: BSD-2-Clause
"""The examples in README.md and docs/, as they are written there, for the tests that run them."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMPT = re.compile(r"(?:Shell|FS\d+:\\)> (.*)")
FILE = re.compile(r"`([\w./-]+)`:")


@dataclass
class Example:
    """
    A fenced block of a section: `lines` to be typed, at the UEFI shell, or on Linux where it is
    marked as `sh`; or the lines of `file`, where the line before it is the file's name: `a.c`:
    """

    document: str
    section: str
    host: bool
    lines: list
    file: str = ""


def documents():
    """The names of all documents, from the root of the project; README.md is the first."""
    return ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def blocks(document):
    """All fenced blocks: section, language, file, lines."""
    section, language, lines, above = "", "", None, ""
    for line in (ROOT / document).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            if lines is None:
                lines, language = [], line[3:]
            else:
                named = FILE.fullmatch(above)
                yield section, language, named[1] if named else "", lines
                lines, above = None, ""
        elif lines is not None:
            lines.append(line)
        elif line.startswith("#"):
            section = line.strip("# ")
        elif line.strip():
            above = line.strip()


def examples():
    """
    All blocks with lines to be typed, or with a file, in order. What the UEFI shell answers is
    between its prompts.
    """
    found = []
    for document in documents():
        for section, language, file, lines in blocks(document):
            typed = [match[1] for match in map(PROMPT.fullmatch, lines) if match]
            if file or language == "sh":
                found.append(Example(document, section, True, lines, file))
            elif language == "" and typed:
                found.append(Example(document, section, False, typed))
    return found


def block(document, section, language):
    """The text of the only block in that language in a section."""
    (lines,) = [
        lines
        for its_section, its_language, _, lines in blocks(document)
        if (its_section, its_language) == (section, language)
    ]
    return "".join(line + "\n" for line in lines)


def lines_of(section):
    """The lines of the only block for Linux of a section."""
    (lines,) = [e.lines for e in examples() if e.host and e.section == section]
    return lines


def write_stick(stick, place):
    """
    Makes and writes the stick as README.md says. `stick` is a file, which is as long afterwards as
    what is written. In the directory `place`, sudo runs its command and nothing else.
    """
    lines, bin = lines_of("Put it on a stick"), place / "bin"
    assert lines[0] == "STICK=/dev/sdX"
    bin.mkdir()
    (bin / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (bin / "sudo").chmod(0o755)
    subprocess.run(
        ["sh", "-eu"],
        input="\n".join([f"STICK={stick}", *lines[1:]]),
        cwd=ROOT,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "SETUP": "skip"},
        stdout=subprocess.DEVNULL,
    )
