# SPDX-License-Identifier: BSD-2-Clause
"""What the tests on machines of other processors and other firmware need."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / part) for part in ("scripts", "tests/boot", "tests/schema")]
sys.dont_write_bytecode = True

from rig.boards import BOARDS  # noqa: E402  (found through the line above)
from rig.place import fresh_place  # noqa: E402

# Those of make test; the others are for make test-firmware.
SHORT = ("aarch64-edk2", "ia32-edk2", "riscv64-u-boot", "x86_64-u-boot")


def pytest_addoption(parser):
    parser.addoption(
        "--boards", help="short, all, or names with commas in between", default="short"
    )


def chosen(config):
    option = config.getoption("--boards")
    return {"short": SHORT, "all": tuple(BOARDS)}.get(option) or tuple(option.split(","))


def marks_of(board):
    """One process tests all of a board; where the firmware is wrong, tests may fail."""
    fault = [pytest.mark.xfail(reason=board.fault)] if board.fault else []
    return [pytest.mark.xdist_group(board.name), *fault]


def pytest_generate_tests(metafunc):
    if "board" in metafunc.fixturenames:
        boards = [
            pytest.param(BOARDS[name], id=name, marks=marks_of(BOARDS[name]))
            for name in chosen(metafunc.config)
        ]
        metafunc.parametrize("board", boards, scope="module")


@pytest.fixture(scope="module")
def program(board):
    """The program for the processor of the board. Without it nothing is skipped."""
    path = ROOT / "build" / board.processor / "efi-img.efi"
    assert path.is_file(), f"{path} is not there: run make all-arch first"
    for file in board.files():
        assert file.is_file(), f"{file} is not there: run scripts/setup test first"
    return path


@pytest.fixture(scope="module")
def place(board, request):
    """A directory for the images of one board."""
    with fresh_place(ROOT / "build" / "arch" / board.name, request.session) as path:
        yield path


# The columns of the table in docs/FIRMWARE.md, and the test that decides each.
COLUMNS = {
    "starts, lists": "test_it_lists_the_disks",
    "script": "test_all_of_it_is_run",
    "hash": "test_hash_is_that_of_the_disk",
    "restore": "test_a_restored_disk_is_the_image",
    "create": "test_images_are_sound",
    "capture": "test_a_capture_is_the_disk",
    "menu": "test_the_menu",
}
REFUSED = ("create", "capture")  # on the FAT of U-Boot


def pytest_terminal_summary(terminalreporter, config):
    """Prints the table, if all boards were tested."""
    if config.getoption("--boards") != "all":
        return
    outcome = {
        report.location[2]: kind
        for kind in ("passed", "xpassed", "xfailed", "failed", "error")
        for report in terminalreporter.getreports(kind)
    }
    terminalreporter.write_line("| machine | " + " | ".join(COLUMNS) + " |")
    terminalreporter.write_line("|---" * (len(COLUMNS) + 1) + "|")
    for board in BOARDS.values():
        cells = [
            "no"
            if outcome.get(f"{test}[{board.name}]") not in ("passed", "xpassed")
            else "refused"
            if board.is_u_boot and column in REFUSED
            else "yes"
            for column, test in COLUMNS.items()
        ]
        terminalreporter.write_line(f"| {board.name} | " + " | ".join(cells) + " |")
