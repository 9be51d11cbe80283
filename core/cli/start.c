/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of what may start without being typed, in one table (start.h). Those who start
 * something ask for its rule, and have none of their own.
 */
#include "cli/start.h"

#include <stddef.h>

#include "base/printable.h"
#include "base/text.h"

enum { SHOWN_BYTES_MAX = 512, COLUMNS = 80, INDENT = 2 };

enum start_rule start_rule(enum start_source source, enum secure_boot state)
{
	static const struct {
		enum start_rule usual, secure;
	} rules[] = {
		[START_HYPERVISOR] = { START_AT_ONCE, START_NEVER },
		[START_STICK] = { START_UNLESS_STOPPED, START_IF_CONFIRMED },
		[START_BOOT_ENTRY] = { START_AT_ONCE, START_IF_CONFIRMED },
	};

	return state == SECURE_BOOT_ON ? rules[source].secure : rules[source].usual;
}

unsigned start_show(const struct words *words, struct out *out)
{
	char line[SHOWN_BYTES_MAX];
	struct out_buffer text;

	out_buffer_init(&text, line, sizeof line);
	words_print(words->word, words->n, &text.out);
	if (text.out.failed)
		return 0;
	out_spaces(out, INDENT);
	out_printable(out, line, SIZE_MAX);
	out_text(out, "\n");
	/* a character takes one column, or two of at least three bytes */
	return (unsigned)(INDENT + text_length(line)) / COLUMNS + 1;
}

bool start_shows_all(const struct words *words)
{
	size_t i = 0;

	/* options before the command, of which one has a value (cli_run()) */
	while (i < words->n && words->word[i][0] == '-')
		i += text_equal(words->word[i], "-T") || text_equal(words->word[i], "--trace") ? 2
											       : 1;
	return i >= words->n || !text_equal(words->word[i], "run");
}

const char *secure_boot_text(enum secure_boot state)
{
	static const char *const text[] = {
		[SECURE_BOOT_NONE] = NULL,
		[SECURE_BOOT_OFF] = "off",
		[SECURE_BOOT_SETUP] = "setup mode",
		[SECURE_BOOT_ON] = "on",
	};

	return text[state];
}
