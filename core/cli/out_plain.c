/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/out_plain.h"

#include "base/text.h"

enum { STEP = 10, ALL = 100 };

static const char head[] = "    (", tail[] = "/100%)";

static void pass(struct out_plain *plain, const char *bytes, size_t n)
{
	plain->to->write(plain->to, bytes, n);
	plain->out.failed = plain->to->failed;
}

/*
 * "    (12.34/100%) copying 1.0/2.0 GiB, ...": the percents, and where the phase begins; its end
 * becomes a NUL. False: it is no such line.
 */
static bool is_progress(char *text, unsigned *ret_percent, const char **ret_phase)
{
	char *s = text + sizeof head - 1;

	*ret_percent = 0;
	if (!text_starts_with(text, head) || !text_is_digit(*s))
		return false;
	for (; text_is_digit(*s) && *ret_percent < ALL; s++)
		*ret_percent = *ret_percent * 10 + (unsigned)(*s - '0');
	while (*s == '.' || text_is_digit(*s))
		s++;
	if (!text_starts_with(s, tail))
		return false;
	s += sizeof tail - 1;
	s += *s == ' ';
	*ret_phase = s;
	while (*s != '\0' && *s != ' ' && *s != ',')
		s++;
	*s = '\0';
	return true;
}

/* All that have become due: how many lines there are depends on the job alone. */
static void say_steps(struct out_plain *plain, unsigned percent, const char *phase)
{
	if (percent + STEP < plain->next) /* another one begins */
		plain->next = 0;
	for (; plain->next <= percent; plain->next += STEP) {
		out_printf(plain->to, "%s%u.00%s%s%s\n", head, plain->next, tail,
			   *phase != '\0' ? " " : "", phase);
		plain->out.failed = plain->to->failed;
		if (plain->step != NULL)
			plain->step(plain->user, plain->next, phase);
	}
}

static void end_line(struct out_plain *plain, bool over)
{
	unsigned percent;
	const char *phase;

	plain->text[plain->n] = '\0';
	if (!plain->through && is_progress(plain->text, &percent, &phase)) {
		say_steps(plain, percent, phase);
	} else if (plain->n > 0 || plain->through ||
		   (!over && !plain->over)) { /* not only the end of a line that was written over */
		pass(plain, plain->text, plain->n);
		pass(plain, "\n", 1);
	}
	plain->n = 0;
	plain->through = false;
	plain->over = over;
}

static void take(struct out *out, const char *bytes, size_t n)
{
	struct out_plain *plain = (struct out_plain *)out;

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r') {
			end_line(plain, bytes[i] == '\r');
			continue;
		}
		if (plain->n == sizeof plain->text - 1) {
			pass(plain, plain->text, plain->n);
			plain->n = 0;
			plain->through = true;
		}
		plain->text[plain->n++] = bytes[i];
	}
}

void out_plain_init(struct out_plain *plain, struct out *to)
{
	*plain = (struct out_plain){ .out.write = take, .to = to };
}

void out_plain_end(struct out_plain *plain)
{
	if (plain->n > 0)
		pass(plain, plain->text, plain->n);
	plain->n = 0;
}
