# SPDX-License-Identifier: BSD-2-Clause
"""Directories for the images of tests that boot machines."""

import shutil
from contextlib import contextmanager


@contextmanager
def fresh_place(path, session):
    """
    An empty directory for some tests of a pytest session. If one of them fails, it stays for a
    look at it until the next run.
    """
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    failed = session.testsfailed
    yield path
    if session.testsfailed == failed:
        shutil.rmtree(path)
