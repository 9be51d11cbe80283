/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * The version of this build, as scripts/version makes it of the tree ("0.2.0-17-g118e0e0"), and
 * those of the compression libraries in it ("1.14", "1.5.4", "1.0.8"). Text without end of line,
 * the same in every build of the same tree. They are defined in build/gen/version.c, in tests by
 * tests/sim/.
 */
extern const char program_version[];
extern const char libdeflate_version[];
extern const char zstd_version[];
extern const char bzip2_version[];
