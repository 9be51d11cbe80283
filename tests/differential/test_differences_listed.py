# SPDX-License-Identifier: BSD-2-Clause
"""
docs/QEMU-IMG.md beside the tests: each point of that page is in the table here, under its heading
and by its first words, with the tests that fail if it is no longer true; and each of them exists.
"""

import re

import pytest

from oracle import ROOT

# heading: {the first words of a point: its tests}. A test of this folder is FILE: FUNCTION without
# "test_" in front of both; others have their folder before that, as in scripts/check-promises.
HELD = {
    "Existing files and sources": {
        "`create`, `convert` and `dd` replace": (
            "differences: existing_file differences: existing_file_of_another_image"
        ),
        "A file that is known not to be": (
            "foreign: image foreign: packed foreign: tar foreign: zip foreign: program"
        ),
        "A raw file with neither a partition table": (
            "guards: guard unit/target_contents: test_trial_a2_no_table"
            " unit/target_contents: test_plain_iso unit/target_contents: test_truncated"
            " unit/target_contents: test_where_it_does_not_matter"
        ),
        'Everything is checked before "Formatting': (
            "differences: no_word_before_a_failure create: bad_options"
        ),
        "`info` and `check` take several": "wildcards: info wildcards: check",
        "`info` of a disk or partition": (
            "disks: info_of_a_disk_has_what_list_says disks: info_of_a_partition_has_its_line"
        ),
        "On Linux, `info` of a block device": "differences: block_device_takes_its_size",
        "Disks are named by what they are": (
            "technician: misused guards: guard guards: exit_codes_between_files_are_qemu_imgs"
        ),
    },
    "Names of files": {
        "`file:NAME`, and `json:": (
            "names: operands names: backing_file names: without_a_meaning_here"
        ),
        "In firmware, such a name": "unit/path: test_notation_on_a_volume",
    },
    "Options": {
        "Sizes with a leading blank": (
            "differences: sizes_that_are_refused differences: size_with_many_digits"
        ),
        "The prefix `no` of a boolean": "differences: options_of_create",
        "Encryption is described": "differences: aes differences: options_of_qemu",
        "Options for Linux file systems": "differences: options_of_create",
        "On FAT there are no holes": "boot/create: raw_image_is_zeros_to_the_last_byte",
        "Options about how QEMU does its work": (
            "options: option options: trace_before_the_command"
        ),
        "Formats are those that efi-img knows": "options: formats_of_qemu_alone",
        "`measure` takes the options": "differences: measure_takes_what_create_takes",
        "Every value in a list of options": "differences: values_that_are_given_twice",
        "`measure` of a disk or partition": "used: measure_is_that_of_a_capture",
    },
    "Formats that are written": {
        "qed: `check -r leaks`": "qed: leaks_alone_repair_no_corruption",
        "qed: an image with corrupt entries": "qed: what_is_corrupt_is_not_written_to",
        "qed: of a file with more clusters": "qed: more_clusters_than_a_cluster_has_bytes",
        "qed: `table_size=1`": "qed: tables_of_one_cluster",
        "qed: `resize` grows": "qed: grow_over_a_longer_backing_file",
        "qcow: `convert -c`": "qcow: compressed",
        "qcow: `rebase` works": "qcow: rebase qcow: check qcow: truncated",
        "qcow: a cluster that does not lie": "differences_formats: qcow_that_was_cut_off",
        "qcow: a disk that its tables": "qcow: too_large",
        "`measure -O qed` and `-O qcow`": "differences_formats: measure",
        "`preallocation` exists for": "differences: preallocation",
    },
    "vpc": {
        "`force_size` is on": (
            "differences_formats: vpc_has_the_size_that_was_asked_for"
            " vpc: fixed_is_ready_for_azure vpc: create"
        ),
        "A fixed image is recognised": "vpc: fixed_is_recognised",
        "Differencing images are read": "differences_formats: vpc_differencing",
        "Sectors that the bitmap": "differences_formats: vpc_bitmap vpc: differencing",
        "Images of VirtualBox": "differences_formats: vpc_of_virtualbox",
        "An image whose footer at offset 0": "differences_formats: vpc_that_is_damaged",
        "`check`, `check -r`, `measure`": (
            "differences_formats: vpc_commands differences_formats: measure vpc: grow"
        ),
    },
    "vhdx": {
        "`map`, `measure`, `compare`": "vhdx: map_tells_blocks vhdx: measure",
        "`subformat=fixed` gives": "differences_formats: vhdx_fixed_has_its_length",
        "An image whose log": "vhdx: dirty_sample unit/vhdx_log: test_refused",
        "Differencing images are read": "vhdx: parent",
        "Images with logical sectors of 4096": "unit/vhdx: test_contents unit/vhdx: test_writing",
        "If the first region table": "vhdx: second_region_table",
        "An image of which two blocks": "damaged_formats: doubled_block_is_not_written_to",
        "`info` works where blocks": "vhdx: cut_short vhdx: doubled_block vhdx: resize",
        "A new image of a disk of 0 bytes": "differences: vhdx_of_no_bytes",
        "A new image is smaller": "differences_formats: vhdx_without_data_is_small",
    },
    "vmdk": {
        "Each extent of a descriptor counts": (
            "vmdk: unknown_lines_are_not_skipped vmdk: extents_that_share_bytes"
        ),
        "An image of which two places": (
            "damaged_formats: doubled_block_is_not_written_to vmdk: extents_that_share_bytes"
        ),
        "Extents and parents are files": "vmdk: create_refused unit/vmdk: test_descriptors",
        "`create -o subformat=streamOptimized`": (
            "vmdk: stream_is_as_vmware_writes_it vmdk: stream_is_written_once vmdk: convert"
        ),
        "`convert -c` is refused": (
            "differences_formats: vmdk_compression vmdk: compression_is_for_streams"
        ),
        "A descriptor of less than 512 bytes": "differences_formats: vmdk_descriptor_is_padded",
        "`info` tells an image": "vmdk: unclean unit/vmdk: test_both_copies_get_grains",
        "`check` counts corruptions": "differences_formats: vmdk_check unit/vmdk: test_check",
        "`measure -O vmdk`": "differences_formats: measure",
        "`commit` of a vmdk needs": "differences_formats: vmdk_commit_leaves_the_overlay",
        "`create -u -b` is refused": "vmdk: create_refused",
        "A disk of 0 bytes": "differences_formats: vmdk_of_no_bytes",
    },
    "Formats that are only read": {
        "bochs: `map` and": (
            "bochs: map_tells_zeros_and_places bochs: measure_counts_data_only"
            " unit/bochs: test_absurd_fields"
        ),
        "cloop: `check` compares": (
            "differences_formats: check_of_what_is_only_read cloop: damaged_block"
            " unit/cloop: test_absurd_offsets"
        ),
        "dmg: an image is recognised": (
            "dmg: recognised_by_content dmg: contents dmg: refused_by_name dmg: map_tells_zeros"
            " dmg: wrong_checksum unit/dmg: test_absurd_tables"
            " differences_formats: check_of_what_is_only_read"
        ),
        "A file in a tar archive": "ova: every_format_in_an_archive ova: the_only_disk",
    },
    "convert and dd": {
        "`convert --salvage` lists": "salvage: compressed_cluster unit/salvage: many",
        "`convert -c -n` compresses": "differences: compressed_over_data",
        "`convert -n -B` is refused": (
            "differences: backing_file_of_a_target_that_is_there options: target_that_is_zero"
        ),
        "`convert -l` and `measure -l`": "differences: sizes_at_a_snapshot",
        "`convert --bitmaps` of a source": "differences: bitmaps_of_version_2",
        "`dd` copies `count` blocks": "dd: count_is_counted_after_skip",
        "Progress goes to standard error": (
            "boot/shell: errors_and_progress_do_not convert: progress"
        ),
    },
    "Changing images": {
        "`snapshot` without an action": (
            "snapshot: list snapshot: name_too_long snapshot: damaged_tables"
        ),
        "`amend` checks all options": (
            "amend: refused differences: amend_that_shrinks differences: amend_to_nothing"
        ),
        "`rebase` to the same file": "differences: rebase_to_another_format_of_the_same_file",
        "`resize` always extends": "differences: what_was_cut_off_is_not_shown_again",
        "Only bitmaps that change": (
            "bitmap: not_marked_any_more differences: bitmap_of_no_disk"
            " convert_bitmaps: convert_into_existing differences: resize_beyond_a_bitmap"
        ),
        "An image that was not closed cleanly": (
            "repair_marks: dirty_opened_for_writing repair_marks: dirty_and_not_repairable"
        ),
        "A cluster whose L2 entry": "differences: entry_with_reserved_bits",
        "`resize --shrink` cuts": (
            "resize: freed_clusters_keep_what_they_have resize: shrinking_gives_space_back"
        ),
        "`resize --preallocation=falloc` and": "resize: preallocation_after_another",
    },
    "Images of VirtualBox (vdi)": {
        "A new image has its map": (
            "differences_formats: vdi_is_aligned vdi: two_images_have_different_uuids"
        ),
        "Blocks of any power of two": "vdi: other_blocks vdi: refused",
        "A file that was cut short": "vdi: cut_short",
        "`check` takes room": (
            "vdi: leaked_block vdi: number_of_blocks vdi: resize"
            " differences_formats: vdi_commands differences_formats: measure"
        ),
    },
    "Images of Parallels": {
        "A file that was cut short": (
            "differences_formats: parallels_that_was_cut_off parallels: doubled_cluster"
        ),
        "An image whose header says": (
            "differences_formats: parallels_data_past_the_end unit/parallels: test_check"
        ),
        "Tables and extensions are no": "parallels: large_bat_is_no_leak parallels: extension",
        "A disk of 2^29 clusters": "differences: parallels_that_nobody_opens",
        "An image with an extension": "parallels: extension differences_formats: measure",
    },
    "check": {
        "Problems are told in": (
            "check_lines: fault check_lines: repair differences: thousand_problems_are_told"
        ),
        "The lines about old refcounts": "check_lines: rebuilt_refcounts",
        "A cluster that is used for two": "check: live_table_as_data",
        "`check` needs neither": (
            "check: backing_file check: encrypted differences: check_without_the_data_file"
        ),
        "`check -r` keeps unreferenced": (
            "repair: all repair: no_room_for_new_refcounts repair: rebuilt_with_something_lost"
        ),
    },
}


def points():
    """(heading, text of a point on one line), in the order of the page."""
    page = (ROOT / "docs/QEMU-IMG.md").read_text()
    for section in page.split("\n## ")[1:]:
        heading, text = section.split("\n", 1)
        for point in re.findall(r"^- ((?:.|\n  )*)$", text, re.M):
            yield heading, " ".join(point.split())


def named():
    """(folder, file, function) of each test that the table names."""
    for names in (names for held in HELD.values() for names in held.values()):
        for folder, file, function in re.findall(r"(?:(\w+)/)?(\w+): (\w+)", names):
            yield folder or "differential", file, function


def test_each_point_is_held():
    for heading, point in points():
        found = [words for words in HELD.get(heading, ()) if point.startswith(words)]
        assert len(found) == 1, f"{heading}: {point}"
    assert len(list(points())) == sum(map(len, HELD.values()))


@pytest.mark.parametrize("folder, file, function", sorted(set(named())))
def test_what_holds_it_exists(folder, file, function):
    if folder == "unit":
        text = (ROOT / f"tests/unit/test_{file}.c").read_text()
        assert re.search(rf"\b(?:cmocka_unit_test\w*|TEST)\(\s*{function}\b", text)
    else:
        text = (ROOT / f"tests/{folder}/test_{file}.py").read_text()
        assert re.search(rf"^def test_{function}\(", text, re.M)
