# SPDX-License-Identifier: BSD-2-Clause
"""
What all differential tests share.

A test marked with `enumeration` has more cases than what they find is worth in every run: `make
test` takes one of `share` cases, the same ones each time, and `make test-whole` all of them.
"""

import random
import shutil
import zlib

import pytest


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="all cases of each enumeration")


def pytest_configure(config):
    config.addinivalue_line("markers", "enumeration(share): one of `share` cases in the short form")


def is_left_out(item):
    mark = item.get_closest_marker("enumeration")
    return mark is not None and zlib.crc32(item.name.encode()) % mark.args[0] != 0


def pytest_collection_modifyitems(config, items):
    if config.getoption("--whole"):
        return
    left_out = [item for item in items if is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not is_left_out(item)]


@pytest.fixture(autouse=True)
def leave_nothing(tmp_path, request):
    """
    Removes the files of a test that passed: those of all together are tens of gigabytes. A
    failed one's stay for a look at them.
    """
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed == failed:
        shutil.rmtree(tmp_path)


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A folder with files of many lengths; every third is deleted again after filling."""
    top = tmp_path_factory.mktemp("tree")
    rng = random.Random(23)
    (top / "sub").mkdir()
    for i in range(60):
        length = rng.choice([0, 1, 100, 4096, 5000, 70000, 300000, 1 << 20])
        (top / ("sub" if i % 4 == 0 else ".") / f"file{i}").write_bytes(rng.randbytes(length))
    return top
