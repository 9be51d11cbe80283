# SPDX-License-Identifier: BSD-2-Clause
"""What the tests on machines of other processors and other firmware need."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / part) for part in ("scripts", "tests/boot", "tests/schema")]
sys.dont_write_bytecode = True

from rig import document  # noqa: E402  (found through the line above)
from rig.boards import BOARDS  # noqa: E402  (found through the line above)
from rig.place import fresh_place  # noqa: E402

# Those of make test; the others are for make test-firmware.
SHORT = ("aarch64-edk2", "ia32-edk2", "riscv64-u-boot", "x86_64-u-boot")


def pytest_addoption(parser):
    parser.addoption(
        "--boards", help="short, all, or names with commas in between", default="short"
    )
    parser.addoption(
        "--write-table", action="store_true", help="write the results into docs/FIRMWARE.md"
    )
    parser.addoption("--debian", help="a disk with Debian for arm64, for test_started.py")


def pytest_ignore_collect(collection_path, config):
    """Without the disk its test is left out; None: what pytest does otherwise."""
    without_disk = config.getoption("--debian") is None
    return True if without_disk and collection_path.name == "test_started.py" else None


def chosen(config):
    option = config.getoption("--boards")
    return {"short": SHORT, "all": tuple(BOARDS)}.get(option) or tuple(option.split(","))


def pytest_generate_tests(metafunc):
    if "board" in metafunc.fixturenames:
        boards = [
            # one process tests all of a board
            pytest.param(BOARDS[name], id=name, marks=pytest.mark.xdist_group(name))
            for name in chosen(metafunc.config)
        ]
        metafunc.parametrize("board", boards, scope="module")


# Where a board has a fault, these fail, and all others pass: what comes to the end of a disk.
FAULTY = (
    *("test_restore_by_the_menu", "test_all_of_it_is_run", "test_it_lists_the_disks"),
    *("test_hash_is_that_of_the_disk", "test_images_are_sound", "test_a_capture_is_the_disk"),
    *("test_a_restored_disk_is_the_image", "test_the_list_is_what_the_schema_says"),
    *("test_own-hash-disk", "test_own-compare-disk", "test_own-capture-stream", "test_own-run"),
    *("test_own-clone", "test_own-restore"),
)


def case_of(name, board):
    """test_NAME-CASE of the name of an item, test_NAME[BOARD-CASE]."""
    test, _, parameters = name.rstrip("]").partition("[")
    return test + parameters.removeprefix(board)


def pytest_collection_modifyitems(items):
    for item in items:
        board = item.callspec.params.get("board") if hasattr(item, "callspec") else None
        if board and board.fault and case_of(item.name, board.name) in FAULTY:
            item.add_marker(pytest.mark.xfail(reason=board.fault, strict=True))


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
    """A directory for the images of one board and one file of tests."""
    of_module = f"{board.name}-{request.module.__name__.removeprefix('test_')}"
    with fresh_place(ROOT / "build" / "arch" / of_module, request.session) as path:
        yield path


# ---- the table in docs/FIRMWARE.md ----

DOCUMENT, TABLE = ROOT / "docs" / "FIRMWARE.md", ("boards", "make test-firmware")
# The columns, and the tests that decide each: all of them must have passed.
COLUMNS = {
    "list": ["test_own-list", "test_own-list-json", "test_the_list"],
    "script": ["test_all_of_it_is_run", "test_own-run"],
    "read": ["test_as_qemu_img", "test_own-hash", "test_own-compare", "test_own-info"],
    "create, change": ["test_own-create", "test_own-convert", "test_images_are_sound"],
    "capture": ["test_own-capture", "test_capture_by_the_menu", "test_a_capture"],
    "restore, verify": ["test_own-restore", "test_own-clone", "test_a_restored"],
    "menu": ["test_the_start", "test_restore_by_the_menu"],
    "Ctrl-C": ["test_ctrl_c"],
}
REFUSED = {"create, change": "refused", "capture": "stream only"}  # on the FAT of U-Boot


def outcomes(terminalreporter):
    """By the name of each board: its tests as (test_NAME-CASE, whether it has passed)."""
    found = {}
    for kind in ("passed", "xfailed", "failed", "error"):
        for report in terminalreporter.getreports(kind):
            parameters = report.location[2].rstrip("]").partition("[")[2]
            names = [name for name in BOARDS if f"{parameters}-".startswith(f"{name}-")]
            if names and (report.when == "call" or kind == "error"):
                board = max(names, key=len)
                case = case_of(report.location[2], board)
                found.setdefault(board, []).append((case, kind == "passed"))
    return found


def row_of(board, passed):
    """A line of the table; `passed` as outcomes() has it."""
    cells = []
    for column, tests in COLUMNS.items():
        good = [value for name, value in passed if name.startswith(tuple(tests))]
        yes = REFUSED.get(column, "yes") if board.is_u_boot else "yes"
        cells.append(yes if good and all(good) else "**no**")
    return [board.name, *cells, f"{sum(value for _, value in passed)} of {len(passed)}"]


def pytest_terminal_summary(terminalreporter, config):
    """Writes the lines of the boards that were tested; those of others stay as they are."""
    if not config.getoption("--write-table"):
        return
    rows = {row[0]: row for row in document.rows_of(DOCUMENT, *TABLE)}
    for name, passed in outcomes(terminalreporter).items():
        rows[name] = row_of(BOARDS[name], passed)
    head = ["machine", *COLUMNS, "tests"]
    ordered = [rows[name] for name in BOARDS if name in rows]
    document.write_table(DOCUMENT, *TABLE, head, ordered)
