/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "powercut.h"
#include "run.h"

/*
 * Gives the image x backing files with names of these lengths, one after the other, and fails every
 * call to the volume of each: what is left has the old or the new name, and a check finds nothing.
 */
static inline void every_backing_name(const struct sim_volume_kind *kind, const size_t *lengths,
				      size_t n_lengths)
{
	char old[1200] = "", name[1024], line[1200];

	for (size_t i = 0; i < n_lengths; i++) {
		struct sim_files before = sim_files_keep();
		bool failed = true;

		memset(name, 'a' + (int)i, lengths[i]);
		name[lengths[i]] = '\0';
		for (unsigned n = 1; failed; n++) {
			sim_files_restore(kind, &before);
			sim_volume_fail(n, ST_IO);
			(void)RUN("rebase", "-u", "-b", name, "-F", "raw", "x");
			failed = sim_volume_failed();
			sim_volume_fail(0, ST_OK);
			MUST("info", "x");
			snprintf(line, sizeof line, "backing file: %s\n", name);
			if (strstr(out.text, "backing file: ") == NULL)
				assert_true(name[0] == '\0' || old[0] == '\0');
			else
				assert_true(strstr(out.text, line) != NULL ||
					    strstr(out.text, old) != NULL);
			MUST("check", "x");
		}
		sim_files_drop(&before);
		MUST("info", "x");
		snprintf(old, sizeof old, name[0] != '\0' ? "backing file: %s\n" : "%s", name);
		assert_row(name[0] == '\0' || strstr(out.text, old) != NULL, i);
		MUST("check", "x");
	}
	MUST("rebase", "-u", "-b", "", "x");
}
