# SPDX-License-Identifier: BSD-2-Clause
"""What all differential tests share."""

import shutil

import pytest


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
