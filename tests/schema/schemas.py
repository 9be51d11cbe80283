# SPDX-License-Identifier: BSD-2-Clause
"""Holds what programs read against the JSON schemas beside this file."""

import json
from pathlib import Path

import jsonschema

HERE = Path(__file__).resolve().parent


def load(name):
    """
    The schema in the file `name`, with the other files that it refers to in it: how a validator
    finds files is another interface in each version of jsonschema.
    """
    schema = json.loads((HERE / name).read_text(), object_hook=embed)
    return {"$id": name, **schema}


def embed(part):
    return load(part["$ref"]) if part.get("$ref", "#").endswith(".json") else part


def check(name, value):
    """Raises jsonschema.ValidationError where `value` is not what NAME.json says."""
    schema = load(f"{name}.json")
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(value)


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
