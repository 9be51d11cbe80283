"""build/bench.json: one object, with a member for each part of the benchmarks."""

import json
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "build" / "bench.json"


def save(part, report):
    """Puts a part in, and leaves the others as they are."""
    whole = json.loads(PATH.read_text()) if PATH.exists() else {}
    whole = {key: whole[key] for key in ("firmware", "host") if key in whole}
    whole[part] = report
    PATH.write_text(json.dumps(whole, indent=4) + "\n")
