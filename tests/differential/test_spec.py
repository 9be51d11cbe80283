# SPDX-License-Identifier: BSD-2-Clause
"""
docs/SPEC.md beside what efi-img writes: names, offsets, lengths and the members of each JSON file,
as the tables there have them.
"""

import hashlib
import json
import re

import pytest

from images import MIB
from oracle import ROOT
from test_unfinished import efi_img, interrupted, interrupter, place  # noqa: F401 (fixtures)

SPEC = (ROOT / "docs/SPEC.md").read_text()


def rows(section):
    """The cells of each row of all tables in a section, without those of the heads."""
    text = SPEC.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = [i for i, line in enumerate(lines) if line.startswith("|---")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for i, line in enumerate(lines)
        if i not in heads and i + 1 not in heads
    ]


def members(section, column=0):
    """The names in backquotes of a column, in order."""
    return [name for row in rows(section) for name in re.findall(r"`([\w-]+)`", row[column])]


def test_split(place):
    part = 2 * MIB - MIB + 0xF6A48
    assert "n x 1 MiB + 0xf6a48 (1010248)" in SPEC
    assert efi_img(place, "create", "-q", "--split=2M", "a.raw", "5M").code == 0
    sizes = [(place / name).stat().st_size for name in ("a.raw", "a.raw.001", "a.raw.002")]
    assert sizes == [part, part, 5 * MIB - 2 * part]
    assert str(4095 * MIB + 0xF6A48) in SPEC


@pytest.fixture
def captured(place, interrupter):  # noqa: F811
    done = interrupted(
        place, interrupter, "convert", "-O", "raw", "serial=S", "a.raw", STOP="/a.raw,12"
    )
    assert done.code == 15, done.err
    return place


def test_mark(captured):
    mark = (captured / "a.raw").read_bytes()[:512]
    fields = [(int(at), int(n or 0), what) for at, n, what in rows("Mark of unfinished files")[:6]]
    for at, n, what in fields:
        literal = re.match(r"`([^`]+)`( and a space| and 0x0a)?$", what)
        if literal:
            text = literal[1] + {" and a space": " ", " and 0x0a": "\n"}[literal[2]]
            assert mark[at : at + n] == text.encode()
        elif what == "0x0a":
            assert mark[at : at + 1] == b"\n"
    journal = json.loads((captured / "a.raw.resume").read_text())
    assert mark[44:76].decode() == journal["id"]


def test_journal(captured):
    journal = json.loads((captured / "a.raw.resume").read_text())
    assert list(journal) == members("Journals")
    assert journal["journal-version"] == 2 and journal["direction"] == "from-disk"
    assert len(journal["id"]) == 32 and len(journal["first"]) == 1024
    assert (captured / "a.raw.resume").read_text().startswith('{\n    "journal-version": ')


def test_name_of_the_journal_of_a_restore(place, interrupter):  # noqa: F811
    done = interrupted(
        place,
        interrupter,
        "convert",
        "-n",
        "--no-table",
        "disk.img",
        "serial=ONE",
        STOP="/one.img,12",
    )
    assert done.code == 15, done.err
    digits = hashlib.sha256(b"serial=ONE").hexdigest()[:8]
    assert list(json.loads((place / f"disk.img.restore-{digits}").read_text())) == members(
        "Journals"
    )


def test_manifest(place):
    done = efi_img(place, "convert", "--manifest=m.json", "serial=S", "a.raw")
    assert done.code == 0, done.err
    manifest = json.loads((place / "m.json").read_text())
    assert list(manifest) == members("Manifests")
    assert manifest["manifest-version"] == 1 and manifest["range-size"] == 64 * MIB


def test_events():
    schema = json.loads((ROOT / "tests/schema/event.json").read_text())["definitions"]
    for event, text, _ in rows("Logs and events")[2:]:
        kind = schema[event.strip("`")]
        said = re.sub(r": as `[^`]+`|: an array of .*|`access`.*", "", text)
        assert set(re.findall(r"`([\w-]+)`", said)) == set(kind["required"]) - {
            "schema",
            "event",
            "time",
        }, event


def test_logs(place):
    (place / "s.txt").write_text("#efi-img job 1\nlist\n")
    for words, name in ((["run"], r"\d{8}-\d{6}"), (["--plain", "run"], "0001")):
        assert efi_img(place, *words, "s.txt", EFI_IMG_LOGS="logs").code == 0
        found = [path.name for path in (place / "logs").iterdir()]
        assert all(
            any(re.fullmatch(name + end, each) for each in found) for end in (r"\.log", r"\.jsonl")
        )
