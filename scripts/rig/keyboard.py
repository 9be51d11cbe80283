# SPDX-License-Identifier: BSD-2-Clause
"""Texts as keys of a machine's own keyboard, which has the American layout."""

from .machine import CTRL_C, ENTER, ESCAPE

KEYS = {
    ENTER: ("ret",),
    ESCAPE: ("esc",),
    CTRL_C: ("ctrl", "c"),
    "\b": ("backspace",),
    "\x1b[A": ("up",),
    "\x1b[B": ("down",),
    " ": ("spc",),
    "-": ("minus",),
    ".": ("dot",),
    "\\": ("backslash",),
    "?": ("shift", "slash"),
    "+": ("shift", "equal"),
}


def keys_of(text):
    """QEMU's names for the keys that a text is typed by: for each key those pressed together."""
    keys = []
    while text:
        taken = next((known for known in sorted(KEYS, reverse=True) if text.startswith(known)), "")
        if taken:
            keys.append(KEYS[taken])
        else:
            taken = text[0]
            assert taken.isascii() and taken.isalnum(), f"no key is known for {taken!r}"
            keys.append((("shift",) if taken.isupper() else ()) + (taken.lower(),))
        text = text[len(taken) :]
    return keys


class Keyboard:
    """Of a machine: send() is what Machine.send() is for a serial line."""

    def __init__(self, machine):
        self.machine = machine

    def send(self, text):
        for names in keys_of(text):
            self.machine.press(*names)
