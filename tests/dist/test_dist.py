# SPDX-License-Identifier: BSD-2-Clause
"""
The files of a release: they are complete, name what is in them, and are the same each time. The
clones that these tests make have the program as `make` has built it; that two builds are the same
is shown by scripts/test-reproducible. tests/boot starts the stick and the CD.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import schemas
from conftest import ARCHES, ROOT, git, run
from rig import disks
from rig.disks import MIB, Volume

# What firmware starts, and the compilers whose own library is in a program.
STARTED = dict(zip(ARCHES, ("BOOTX64.EFI", "BOOTAA64.EFI", "BOOTIA32.EFI", "BOOTRISCV64.EFI")))
LIBGCC = {"libgcc-ia32": "i686-linux-gnu", "libgcc-riscv64": "riscv64-linux-gnu"}
STICK = (ROOT / "build" / "efi-img.man", ROOT / "scripts" / "capture.nsh")
MACHINES = {"BOOTX64.EFI": 0x8664, "BOOTIA32.EFI": 0x14C, "BOOTAA64.EFI": 0xAA64}
MACHINES["BOOTRISCV64.EFI"] = 0x5064


def program_of(arch):
    return ROOT / "build" / arch / "efi-img.efi"


PROGRAM = program_of("x86_64")


def make_dist(tree, folder, *arches, before=(), **more):
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run(
        [*before, tree / "scripts/make-dist", folder, *(arches or ARCHES)],
        env={**env, **more},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def dist(clone):
    """The files of a release that has just been tagged."""
    base = (clone / "VERSION").read_text().strip()
    log = clone / "docs/CHANGELOG.md"
    log.write_text(log.read_text().replace(f"## {base} (unreleased)", f"## {base} - 2026-12-01"))
    if git(clone, "status", "--porcelain"):
        git(clone, "commit", "-q", "-a", "-m", "release")
    git(clone, "tag", f"v{base}")
    done = make_dist(clone, clone / "build/dist")
    assert done.returncode == 0, done.stderr
    return clone / "build/dist"


def of_kind(dist, end):
    """The one file whose name ends so."""
    (path,) = dist.glob(f"efi-img-[0-9]*{end}")
    return path


def sums(dist, *without):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in dist.iterdir()
        if path.name not in without
    }


def test_release(clone, dist):
    base = (clone / "VERSION").read_text().strip()
    processor = os.uname().machine
    assert sorted(path.name for path in dist.iterdir()) == sorted(
        [
            *("CHANGES.md", "LICENSES.txt", "SHA256SUMS"),
            *(f"efi-img-{base}-{arch}.efi" for arch in ARCHES),
            *(f"efi-img-{base}{end}" for end in ("-usb.img.gz", ".iso")),
            *(f"efi-img-{base}{end}" for end in (".tar.gz", ".spdx.json")),
            f"efi-img-{base}-linux-{processor}.tar.gz",
        ]
    )
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    assert dict(reversed(line.split("  ")) for line in lines) == sums(dist, "SHA256SUMS")
    changes = (dist / "CHANGES.md").read_text()
    log = (clone / "docs/CHANGELOG.md").read_text()
    assert f"## {base} - 2026-12-01\n\n{changes}\n## " in log or log.endswith(changes)
    licences = (dist / "LICENSES.txt").read_text()
    for words in ("efi-img authors", "Eric Biggers", "Meta Platforms", "Julian", "Intel Corp"):
        assert words in licences, words
    assert "GCC RUNTIME LIBRARY EXCEPTION\n\nVersion 3.1" in licences
    assert licences.endswith("requirements of the license of GCC.\n")
    bill_is_right(clone, dist)
    stick_is_right(dist)
    cd_is_right(dist)
    archives_are_right(clone, dist)


def bill_is_right(clone, dist):
    bill = json.loads(of_kind(dist, ".spdx.json").read_text())
    schemas.check("sbom", bill)
    named = {file["fileName"][2:]: file["checksums"][1]["checksumValue"] for file in bill["files"]}
    assert named == sums(dist, "SHA256SUMS", of_kind(dist, ".spdx.json").name)
    packages = {package["SPDXID"][len("SPDXRef-") :]: package for package in bill["packages"]}
    compiled = ["bzip2", "libdeflate", "libzstd"]
    assert sorted(packages) == sorted(["efi-img", "gnu-efi", *LIBGCC, *compiled])
    linked = {
        relation["relatedSpdxElement"]
        for relation in bill["relationships"]
        if relation["relationshipType"] == "STATIC_LINK"
    }
    assert linked == {f"SPDXRef-{name}" for name in (*compiled, *LIBGCC)}
    for name, triplet in LIBGCC.items():
        library, gcc = packages[name], f"{triplet}-gcc"
        assert library["name"] == "libgcc"
        assert library["versionInfo"] == run(gcc, "-dumpfullversion").strip()
        assert library["licenseDeclared"] == "GPL-3.0-or-later WITH GCC-exception-3.1"
        content = Path(run(gcc, "-print-libgcc-file-name").strip()).read_bytes()
        assert library["checksums"][0]["checksumValue"] == hashlib.sha256(content).hexdigest()
    listed = run(ROOT / "scripts/fetch-sources", "--list").splitlines()
    for folder, source, _, checksum in (line.split() for line in listed):
        assert packages[folder]["versionInfo"] == source.partition("=")[2]
        assert packages[folder]["checksums"][0]["checksumValue"] == checksum
    # They are those that the program was built with.
    own = run(ROOT / "build/host/efi-img", "--version")
    for name, folder in (("libdeflate", "libdeflate"), ("zstd", "libzstd"), ("bzip2", "bzip2")):
        version = re.search(rf"{name} ([\d.]+)", own)[1]
        assert re.match(rf"{re.escape(version)}[-+]", packages[folder]["versionInfo"])
    assert git(clone, "rev-parse", "HEAD").strip() in packages["efi-img"]["sourceInfo"]
    known = {entry["SPDXID"] for entry in [bill, *bill["packages"], *bill["files"]]}
    assert len(known) == 1 + len(bill["packages"]) + len(bill["files"])
    for relation in bill["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known


def volume_is_right(volume):
    assert volume.fsck() == ""
    assert sorted(volume.names("/EFI/BOOT")) == sorted(STARTED.values())
    for arch, name in STARTED.items():
        assert volume.get(f"/EFI/BOOT/{name}") == program_of(arch).read_bytes()
    assert volume.get("/efi-img.efi") == PROGRAM.read_bytes()
    for path in STICK:
        assert volume.get(f"/{path.name}") == path.read_bytes()


def stick_is_right(dist):
    packed = of_kind(dist, "-usb.img.gz")
    image = dist.parent / "stick.img"
    image.write_bytes(gzip.decompress(packed.read_bytes()))
    assert "No problems found" in run("sgdisk", "-v", image)
    volume_is_right(Volume(image, MIB, 126 * MIB))


def cd_is_right(dist):
    """The same volume is what El Torito and the GPT name; ISO 9660 has the files, too."""
    image = of_kind(dist, ".iso")
    assert "No problems found" in run("sgdisk", "-v", image)
    layout = run("sgdisk", "-i", "2", image)
    assert "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in layout
    first = int(re.search(r"First sector: (\d+)", layout)[1])
    report = run("xorriso", "-indev", image, "-report_el_torito", "plain")
    boot = re.search(r"boot img : +1 +UEFI +y +none +0x0000 +0x00 +(\d+) +(\d+)", report)
    assert [int(number) for number in boot.groups()] == [32768, first // 4]
    volume_is_right(Volume(image, first * 512, 16 * MIB))
    unpacked = dist.parent / "cd"
    run("xorriso", "-osirrox", "on", "-indev", image, "-extract", "/", unpacked)
    for arch, name in STARTED.items():
        assert (unpacked / "EFI/BOOT" / name).read_bytes() == program_of(arch).read_bytes()
    assert (unpacked / "efi-img.efi").read_bytes() == PROGRAM.read_bytes()


def archives_are_right(clone, dist):
    unpacked = dist.parent / "unpacked"
    for archive in dist.glob("*.tar.gz"):
        with tarfile.open(archive) as file:
            file.extractall(unpacked)
    linux, sources = sorted(unpacked.iterdir(), key=lambda tree: "-linux-" not in tree.name)
    own = run(linux / "bin/efi-img", "--version")
    assert own == run(ROOT / "build/host/efi-img", "--version")
    assert ".TH EFI" in (linux / "share/man/man1/efi-img.1").read_text()
    assert run(sources / "scripts/version", "--archive") == run(
        clone / "scripts/version", "--archive"
    )


def test_two_are_the_same(clone, dist):
    """Whoever makes them, wherever, and whenever."""
    other = clone / "build" / "a-folder-with-a-longer-name"
    done = make_dist(
        clone,
        other,
        before=["faketime", "-f", "+400d", "sh", "-c", 'umask 077 && exec "$@"', "sh"],
        TZ="Pacific/Kiritimati",
        LC_ALL="C",
        HOME="/",
    )
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in dist.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    assert not [name for name in names if (dist / name).read_bytes() != (other / name).read_bytes()]


def test_tag_and_changelog_must_agree(clone):
    git(clone, "tag", "v9.9.9")
    done = make_dist(clone, clone / "build/dist")
    assert done.returncode == 1 and "the tag is v9.9.9, but the file VERSION" in done.stderr
    (clone / "VERSION").write_text("9.9.9\n")
    done = make_dist(clone, clone / "build/dist")
    assert done.returncode == 1 and "CHANGELOG.md has no section 9.9.9" in done.stderr
    (clone / "docs/CHANGELOG.md").write_text("# Changelog\n\n## 9.9.9 (unreleased)\n\n- all\n")
    git(clone, "commit", "-q", "-a", "-m", "release")
    git(clone, "tag", "-f", "v9.9.9")
    done = make_dist(clone, clone / "build/dist")
    assert done.returncode == 1 and "section 9.9.9 of docs/CHANGELOG.md has no date" in done.stderr
    assert not (clone / "build/dist").exists()


def test_without_git(clone):
    """A tree whose commit nobody knows, as scripts/test-release has it in its chroots."""
    shutil.rmtree(clone / ".git")
    done = make_dist(clone, clone / "build/dist")
    assert done.returncode == 0, done.stderr
    base = (clone / "VERSION").read_text().strip()
    assert of_kind(clone / "build/dist", ".iso").name == f"efi-img-{base}.iso"
    assert len(list((clone / "build/dist").glob("*.tar.gz"))) == 1


def for_machine(program, machine, path):
    """A copy of the program whose header names another processor."""
    content = bytearray(program.read_bytes())
    header = int.from_bytes(content[60:64], "little")
    content[header + 4 : header + 6] = machine.to_bytes(2, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("script, start, size", [("make-usb", MIB, 126 * MIB), ("make-iso", 0, 0)])
def test_several_processors(tmp_path, script, start, size):
    programs = {
        name: for_machine(PROGRAM, machine, tmp_path / f"{machine:x}.efi")
        for name, machine in MACHINES.items()
    }
    first, *others = programs.values()
    image = tmp_path / "image"
    more = [word for path in others for word in ("-p", path)]
    run(ROOT / "scripts" / script, *more, first, image)
    if not size:
        layout = run("sgdisk", "-i", "2", image)
        start, size = 512 * int(re.search(r"First sector: (\d+)", layout)[1]), 16 * MIB
    volume = Volume(image, start, size)
    assert volume.fsck() == ""
    assert sorted(volume.names("/EFI/BOOT")) == sorted(programs)
    for name, path in programs.items():
        assert volume.get(f"/EFI/BOOT/{name}") == path.read_bytes()
    assert volume.get("/efi-img.efi") == first.read_bytes()


@pytest.mark.parametrize("script", ["make-usb", "make-iso"])
def test_no_program_and_two_of_a_kind(tmp_path, script):
    for words, reason in (
        ([ROOT / "LICENSE"], "is no program for a UEFI that efi-img is built for"),
        ([for_machine(PROGRAM, 0x1C2, tmp_path / "arm.efi")], "is no program for a UEFI"),
        (["-p", PROGRAM, PROGRAM], "is the second program with the name BOOTX64.EFI"),
    ):
        done = subprocess.run(
            [ROOT / "scripts" / script, *words, tmp_path / "image"],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 1 and reason in done.stderr
        assert not (tmp_path / "image").exists()


@pytest.mark.parametrize("script", ["make-usb", "make-iso"])
def test_two_media_have_other_names(tmp_path, script):
    """Unless they are those of a release: firmware and systems find disks by their GUIDs."""
    found = set()
    for name in ("one", "two"):
        run(ROOT / "scripts" / script, PROGRAM, tmp_path / name)
        found |= set(re.findall(r"[0-9A-F-]{36}", run("sgdisk", "-p", tmp_path / name)))
        found |= set(re.findall(r"unique GUID: (.*)", run("sgdisk", "-i", "1", tmp_path / name)))
    assert len(found) == 4
