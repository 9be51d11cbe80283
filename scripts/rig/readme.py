# SPDX-License-Identifier: BSD-2-Clause
"""The examples in README.md, as they are written there."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMPT = re.compile(r"(?:Shell|FS\d+:\\)> (.*)")


@dataclass
class Example:
    """
    A block of a section: `lines` to be typed, at the UEFI shell, or on Linux where it is marked
    as `sh`.
    """

    section: str
    host: bool
    lines: list


def examples():
    """
    All fenced blocks with something to be typed, in order. What the UEFI shell answers stands
    between its prompts.
    """
    found, section, lines, kind = [], "", None, ""
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            if lines is None:
                lines, kind = [], line[3:]
            else:
                typed = [match[1] for match in map(PROMPT.fullmatch, lines) if match]
                if kind == "sh" or (kind == "" and typed):
                    found.append(Example(section, kind == "sh", lines if kind == "sh" else typed))
                lines = None
        elif lines is not None:
            lines.append(line)
        elif line.startswith("#"):
            section = line.strip("# ")
    return found
