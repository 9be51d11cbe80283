# SPDX-License-Identifier: BSD-2-Clause
"""Holds what programs read against the JSON schemas beside this file."""

import json
from pathlib import Path

import jsonschema

HERE = Path(__file__).resolve().parent


def check(name, value):
    """Raises jsonschema.ValidationError where `value` is not what NAME.json says."""
    schema = json.loads((HERE / f"{name}.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    resolver = jsonschema.RefResolver(f"{HERE.as_uri()}/{name}.json", schema)
    jsonschema.Draft7Validator(schema, resolver=resolver).validate(value)


def events(text):
    """The events in the lines of `text` that are some: each is checked, and their order."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith('{"schema": ')]
    for event in found:
        check("event", event)
    kinds = [event["event"] for event in found]
    assert kinds[:2] == ["session", "devices"], kinds
    number = 0
    for event in found:
        if event["event"] == "start":
            number += 1
        assert event.get("number", number) == number, event
    assert kinds.count("start") == kinds.count("result"), kinds
    return found


def of_kind(found, kind):
    return [event for event in found if event["event"] == kind]
