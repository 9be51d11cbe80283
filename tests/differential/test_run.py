# SPDX-License-Identifier: BSD-2-Clause
"""
Job files: what the log, the events and `list` say to programs is what tests/schema/ says, and
is true.
"""

import json
import os
import random
import re
import sys
from pathlib import Path

import pytest

from images import MIB, qemu_img
from oracle import EFI_IMG, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "schema"))
import schemas  # noqa: E402  (found through the line above)

DISKS = "source.img,serial=S1,model=Some Disk:target.img@512,serial=T1:empty.img@4096"


def run(place, *words):
    environment = {"EFI_IMG_DISKS": DISKS, "EFI_IMG_LOGS": str(place / "logs")}
    os.environ.update(environment)
    try:
        return Result([EFI_IMG, *words], place)
    finally:
        for name in environment:
            del os.environ[name]


def run_job(place, *lines, options=()):
    """What it said, the events, and the log."""
    (place / "job.txt").write_text("#efi-img job 1\n" + "".join(f"{line}\n" for line in lines))
    before = set(place.glob("logs/*"))
    result = run(place, *options, "run", "job.txt")
    events, log = sorted(set(place.glob("logs/*")) - before)
    return result, schemas.events(events.read_text()), log.read_text()


@pytest.fixture
def place(tmp_path):
    dice = random.Random(5)
    (tmp_path / "source.img").write_bytes(dice.randbytes(3 * MIB) + bytes(5 * MIB))
    (tmp_path / "target.img").write_bytes(bytes(8 * MIB))
    (tmp_path / "empty.img").write_bytes(bytes(MIB))
    return tmp_path


def test_list(place):
    devices = json.loads(run(place, "list", "--output=json").out)
    schemas.check("list", devices)
    assert [disk["selector"] for disk in devices] == ["serial=S1", "serial=T1", "path=empty.img"]


def test_what_a_job_says(place):
    result, events, log = run_job(
        place,
        "convert -p -O qcow2 serial=S1 pc.qcow2",
        "# restored",
        "convert -p -n pc.qcow2 serial=T1",
        "check pc.qcow2",
        "hash serial=T1",
    )
    assert result.code == 0, result.err
    assert (place / "target.img").read_bytes() == (place / "source.img").read_bytes()
    qemu_img(place, "check", "-q", "pc.qcow2")
    assert events[-1]["event"] == "end" and events[-1]["exit"] == 0
    starts, results = schemas.of_kind(events, "start"), schemas.of_kind(events, "result")
    assert [start["line"] for start in starts][1] == "convert -p -n pc.qcow2 serial=T1"
    assert (
        [start["command"] for start in starts]
        == [end["command"] for end in results]
        == ["convert", "convert", "check", "hash"]
    )
    writes = [{disk["device"]: disk["writes"] for disk in end["writes"]} for end in results]
    assert writes[0] == {"serial=S1": 0, "serial=T1": 0, "path=empty.img": 0}
    assert writes[1]["serial=S1"] == 0 and writes[1]["serial=T1"] > 0
    image, plan = schemas.of_kind(events, "plan")
    assert (
        image["number"] == 1
        and image["plan"]["target"]["filename"] == "pc.qcow2"
        and not image["plan"]["target"]["exists"]
    )
    assert (
        plan["number"] == 2
        and plan["plan"]["target"]["selector"] == "serial=T1"
        and plan["plan"]["refused"] is None
    )
    steps = [
        event["percent"] for event in schemas.of_kind(events, "progress") if event["number"] == 1
    ]
    assert steps == list(range(0, 101, 10))
    assert schemas.of_kind(events, "devices")[0]["devices"] == json.loads(
        run(place, "list", "--output=json").out
    )
    for text in (
        "Some Disk",
        "---- 1: convert -p -O qcow2 serial=S1 pc.qcow2\n",
        "target:  serial=T1 (blk1:",
        "(50.00/100%)",
        "efi-img: serial=S1: 0 writes to the source\n",
        "No errors were found",
        "writes to serial=S1: 0, serial=T1: ",
    ):
        assert text in log
    assert "\r" not in log and "MB/s" not in log


def test_the_message_of_a_failure(place):
    (place / "target.img").write_bytes(bytes(510) + b"\x55\xaa" + bytes(8 * MIB - 512))
    result, events, log = run_job(
        place, "version", "convert -n source.img serial=T1", "create never 1M"
    )
    assert result.code == 12
    end = schemas.of_kind(events, "result")[-1]
    assert (
        end["exit"] == 12
        and "efi-img: " + end["message"] in result.err
        and "efi-img: " + end["message"] in log
    )
    assert (
        events[-1]["line"] == 3
        and "at line 3 of job.txt, with exit code 12" in result.out
        and "at line 3" in log
    )
    assert not (place / "never").exists()
    assert schemas.of_kind(events, "plan")[0]["plan"]["exit-code"] == 12


def test_a_mistake_is_in_the_log(place):
    result, events, log = run_job(place, "create made 1M", "creat never 1M")
    assert result.code == 1 and not (place / "made").exists()
    assert (
        events[-1]["message"].startswith('job.txt, line 3: there is no command "creat"')
        and events[-1]["message"] in log
    )


def test_plain_is_the_same_each_time(place):
    """But for the room that others leave on the file system."""
    said = []
    for _ in range(2):
        (place / "pc.qcow2").unlink(missing_ok=True)
        result, events, log = run_job(
            place,
            "convert -p -O qcow2 serial=S1 pc.qcow2",
            "snapshot -c a pc.qcow2",
            "check pc.qcow2",
            options=["--plain"],
        )
        assert result.code == 0 and "\r" not in result.out
        log_name = events[0].pop("log")
        plan = schemas.of_kind(events, "plan")[0]["plan"]
        plan["target"].pop("free")
        assert log_name in [entry["name"] for entry in plan["access"] if entry["role"] == "log"]
        plan["access"] = [entry for entry in plan["access"] if entry["role"] != "log"]
        log = re.sub(r"[0-9.]+ \w+ free on|create .* \(log\)", "", log)
        said.append((result.out.replace(log_name, ""), log, events))
        assert all(event["time"] is None and event.get("seconds") is None for event in events)
    assert said[0] == said[1]
    assert "    (10.00/100%) copying\n    (20.00/100%) copying\n" in said[0][0]


def test_plain_before_any_command(place):
    plain, usual = (
        run(place, *words, "convert", "-p", "-O", "qcow2", "serial=S1", "pc.qcow2", "--force")
        for words in (["--plain"], [])
    )
    assert plain.code == usual.code == 0 and "\r" in usual.out
    assert plain.out.splitlines()[0] == "    (0.00/100%) copying" and "\r" not in plain.out
    assert run(place, "--plain", "--version").code == 0


def test_without_a_log(place):
    (place / "logs").write_text("a file, where the folder would be")
    (place / "job.txt").write_text("#efi-img job 1\ncreate made 1M\n")
    result = run(place, "run", "job.txt")
    assert result.code == 0 and (place / "made").exists()
    assert result.err.startswith("efi-img: there is no log: ")


def test_disks_are_looked_up_before_the_first_command(place):
    """A disk that is missing in line 3 keeps line 2 from overwriting another one."""
    before = (place / "target.img").read_bytes()
    for line in (
        "hash serial=GONE",
        "capture serial=GONE:2 a.qcow2",
        "dd if=serial=GONE of=a.raw",
        "convert -n a.raw serial=GONE --erase=GONE",
    ):
        (place / "job.txt").write_text(
            f"#efi-img job 1\nclone serial=S1 serial=T1\n{line}\n", encoding="utf-8"
        )
        for words in (("--check", "job.txt"), ("job.txt",)):
            result = run(place, "run", *words)
            said = result.out + result.err
            assert result.code == 1, said
            assert "job.txt, line 3: serial=GONE: there is no such disk" in said, said
            assert "no mistakes" not in said and (place / "target.img").read_bytes() == before
    # What the script may make itself is not looked up.
    (place / "job.txt").write_text(
        "#efi-img job 1\nclone serial=S1 serial=T1\n"
        "hash guid=11111111-2222-3333-4444-555555555555\ncapture serial=T1:1 a.qcow2\n"
    )
    assert "3 commands, no mistakes" in run(place, "run", "--check", "job.txt").out


def test_where_there_are_no_disks_none_is_looked_up(place):
    """Scripts are written, and checked, on another machine."""
    (place / "job.txt").write_text("#efi-img job 1\nhash serial=ELSEWHERE\n")
    assert Result([EFI_IMG, "run", "--check", "job.txt"], place).code == 0
