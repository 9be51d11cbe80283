/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What this build is: its version, as scripts/version makes it of the tree
 * ("0.2.0-17-g118e0e0f5a3c"); the commit that it was built from (40 hexadecimal digits, then
 * "-dirty" if there were other changes), or "unknown"; the processor that it runs on ("x86_64",
 * "ia32", "aarch64", "riscv64"); and the versions of the compression libraries in it ("1.14",
 * "1.5.4", "1.0.8"). Text without end of line, the same in every build of the same tree. They are
 * defined in build/gen/version.c, in tests by tests/sim/.
 */
extern const char program_version[];
extern const char program_build[];
extern const char program_processor[];
extern const char libdeflate_version[];
extern const char zstd_version[];
extern const char bzip2_version[];
