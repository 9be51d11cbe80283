# SPDX-License-Identifier: BSD-2-Clause
"""
Tables of a document that tests write. Such a table stands between two comments, of which the first
one names what writes it.
"""

from pathlib import Path

END = "<!-- end -->\n"


def _parts(document, what, writer):
    """The text before the table, the table, and the text after it."""
    begin = f"<!-- {what}: written by {writer} -->\n"
    text = Path(document).read_text(encoding="utf-8")
    start = text.index(begin) + len(begin)
    end = text.index(END, start)
    return text[:start], text[start:end], text[end:]


def rows_of(document, what, writer):
    """The lines of the table below its head, as lists of cells."""
    table = _parts(document, what, writer)[1]
    return [[cell.strip() for cell in line[2:-2].split(" | ")] for line in table.splitlines()[2:]]


def write_table(document, what, writer, head, rows):
    """Replaces the table by another one."""
    before, _, after = _parts(document, what, writer)
    lines = [head, ["---"] * len(head), *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    Path(document).write_text(before + table + after, encoding="utf-8")
