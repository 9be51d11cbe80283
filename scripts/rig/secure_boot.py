# SPDX-License-Identifier: BSD-2-Clause
"""
Keys of Secure Boot in files: signature lists (UEFI 2.10, 32.4.1), and the variables of OVMF, in
which a firmware that has never run can find keys as if they had been enrolled (EDK2,
MdeModulePkg/Include/Guid/VariableFormat.h).
"""

import ssl
import struct
import uuid
from pathlib import Path

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
ENABLE = uuid.UUID("f0a30bc7-af08-4556-99c4-001009c93a44")  # EDK2's switch
SHIM = uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23")
X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")  # of authenticated variables

# A variable before its name and value: magic, state, attributes, count, time, key, sizes, vendor.
VARIABLE = struct.Struct("<HBxIQ16sIII16s")
MAGIC, VALID = 0x55AA, 0x3F
KEPT, AUTHENTICATED = 0x03, 0x27  # attributes: non-volatile, at boot; and at run time, signed
HOMES = {"PK": GLOBAL, "KEK": GLOBAL, "db": DATABASE, "MokList": SHIM, "SecureBootEnable": ENABLE}


def signature_list(owner, certificate):
    """A list with one certificate, a PEM file, which `owner`, a UUID, has issued."""
    der = ssl.PEM_cert_to_DER_cert(Path(certificate).read_text(encoding="ascii"))
    size = 16 + len(der)
    return X509.bytes_le + struct.pack("<III", 28 + size, 0, size) + owner.bytes_le + der


def _store(image):
    """Where the variables of a variable file begin and end."""
    start = struct.unpack_from("<H", image, 48)[0]  # the header of the firmware volume
    if image[start : start + 16] != STORE.bytes_le:
        raise ValueError("no store of authenticated variables")
    return start + 28, start + struct.unpack_from("<I", image, start + 16)[0]


def _variables(image):
    """Position, state, name and value of each, and last the position of the free space."""
    at, end = _store(image)
    while at + VARIABLE.size < end and image[at : at + 2] == struct.pack("<H", MAGIC):
        _, state, _, _, _, _, n_name, n_value, _ = VARIABLE.unpack_from(image, at)
        name = at + VARIABLE.size
        value = name + n_name
        yield at, state, image[name : value - 2].decode("utf-16-le"), image[value : value + n_value]
        at = (value + n_value + 3) & ~3
    yield at, None, None, None


def read(path):
    """The variables in a variable file of OVMF, by name."""
    return {
        name: value
        for _, state, name, value in _variables(Path(path).read_bytes())
        if state == VALID
    }


def write(source, target, variables):
    """
    Makes the variable file `target` of `source`, with those of `variables` (names to values; see
    HOMES) in place of what it has of these names.
    """
    image = bytearray(Path(source).read_bytes())
    for at, state, name, _ in list(_variables(image)):
        if state == VALID and name in variables:
            image[at + 2] = VALID & 0xFD  # deleted
    for name, value in variables.items():
        *_, (at, _, _, _) = _variables(image)
        attributes = AUTHENTICATED if name in ("PK", "KEK", "db") else KEPT
        word = (name + "\0").encode("utf-16-le")
        head = VARIABLE.pack(
            MAGIC, VALID, attributes, 0, bytes(16), 0, len(word), len(value), HOMES[name].bytes_le
        )
        image[at : at + len(head + word + value)] = head + word + value
    Path(target).write_bytes(image)
