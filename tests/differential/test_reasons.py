# SPDX-License-Identifier: BSD-2-Clause
"""
docs/SAFETY.md beside the sources: each reason that core/fs/ and core/engine/used_blocks.c have for
copying all of a partition is in the table there, with the file systems that it is of, and nothing
else is.
"""

import re
from collections import defaultdict

import pytest

from oracle import ROOT

KINDS = {
    "btrfs": "Btrfs",
    "exfat": "exFAT",
    "ext": "ext",
    "fat": "FAT",
    "look": "any",
    "lvm": "LVM",
    "lvm_header": "LVM",
    "lvm_text": "LVM",
    "map": "any",
    "ntfs": "NTFS",
    "ntfs_files": "NTFS",
    "swap": "swap",
    "used_blocks": "disk",
    "xfs": "XFS",
}
TEXT = r'"(?:[^"\\\n]|\\.)*"'
# The function, what comes before the words, and the words, which may be in several pieces.
CALL = re.compile(
    r"\b(?:fs_note\([^,\";]+,|error_(?:add|set)\(&?[\w>.-]*why,"
    r"|out_printf\(&?why(?:\.out)?,|fail\([\w&>.-]+,\s*\w+,)"
    rf"\s*((?:{TEXT}\s*)+)"
)
# What sets no words of its own.
PASSED_ON = {"X"}
# About the bitmap in an image, about the target, and what only begins a reason.
OF_IMAGES = re.compile(r"the bitmap of what is in use|X: |partition X \(X\): ")


def reasons(path):
    for call in CALL.findall(path.read_text()):
        text = "".join(piece[1:-1] for piece in re.findall(TEXT, call))
        text = re.sub(r"%0?\d*j?[a-z]", "X", text.replace('\\"', '"'))
        if text not in PASSED_ON and not OF_IMAGES.match(text):
            yield text


def sources():
    files = [*(ROOT / "core/fs").glob("*.c"), ROOT / "core/engine/used_blocks.c"]
    return {path.stem: path for path in files}


def in_sources():
    found = defaultdict(set)
    for name, path in sources().items():
        for text in reasons(path):
            found[text].add(KINDS[name])
    return found


def in_table():
    text = (ROOT / "docs/SAFETY.md").read_text()
    section = text.partition("\n## Why all of a partition is copied\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", section, re.M)
    assert all(meaning.strip() for _, _, meaning in rows)
    assert len({words for words, *_ in rows}) == len(rows)
    return {words: set(kinds.split(", ")) for words, kinds, _ in rows}


def test_each_reason_is_in_the_table():
    assert in_table() == dict(in_sources())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_no_call_is_missed(name):
    """As many calls that give a reason as there are words found."""
    text = re.sub(r"/\*.*?\*/", "", sources()[name].read_text(), flags=re.S)
    text = re.sub(r"^void fs_note\(.*$", "", text, flags=re.M)
    calls = len(re.findall(r"\b(?:fs_note|fail|error_add)\(", text))
    assert calls <= len(CALL.findall(text)) and len(CALL.findall(text)) > 0
