# SPDX-License-Identifier: BSD-2-Clause
"""
One table for each part of the benchmarks, and build/bench.json: one object, with a member for
each part.
"""

import json
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "build" / "bench.json"
PARTS = ("firmware", "copy", "linux", "host", "kernels", "growth")


def save(part, report):
    """Puts a part in, and leaves the others as they are."""
    whole = json.loads(PATH.read_text()) if PATH.exists() else {}
    whole = {key: whole[key] for key in PARTS if key in whole}
    whole[part] = report
    PATH.write_text(json.dumps(whole, indent=4) + "\n")


class Table:
    """
    Rows of a name, a figure of this machine, and a ratio, which may have a limit and means
    something on others too.
    """

    def __init__(self, part):
        self.part = part
        self.rows = []
        print(f"{part:54}{'figure':>24}{'ratio':>10}{'limit':>10}", flush=True)

    def add(self, name, figure, ratio, most=None, least=None):
        missed = (most is not None and ratio > most) or (least is not None and ratio < least)
        limit = f"<= {most:g}" if most is not None else f">= {least:g}" if least is not None else ""
        self.rows.append(
            {"name": name, "figure": figure, "ratio": ratio, "limit": limit, "missed": missed}
        )
        print(
            f"{name:54}{figure:>24}{ratio:10.3g}{limit:>10}{'  missed' if missed else ''}",
            flush=True,
        )

    def save(self):
        save(self.part, self.rows)
