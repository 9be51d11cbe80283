#include "job/progress.h"

#include "base/range.h"

enum { ONE_PERCENT = 100, ALL = 100 * ONE_PERCENT };

static uint32_t position(const struct progress *progress)
{
	uint64_t done = progress->done, total = progress->total;

	if (done >= total)
		return ALL;
	if (total > UINT64_MAX / ALL) { /* so large that what is cut off does not show */
		done /= ALL;
		total /= ALL;
	}
	return (uint32_t)(done * ALL / total);
}

static void show(struct progress *progress, uint32_t at)
{
	progress->shown = at;
	if (progress->out != NULL)
		out_printf(progress->out, "    (%u.%02u/100%%)\r", at / ONE_PERCENT, at % ONE_PERCENT);
}

void progress_begin(struct progress *progress, struct out *out, uint64_t total)
{
	*progress = (struct progress){ .out = out, .total = total };
	show(progress, 0);
}

void progress_advance(struct progress *progress, uint64_t n)
{
	uint32_t at;

	progress->done += min_u64(n, progress->total - progress->done);
	at = position(progress);
	if (at >= progress->shown + ONE_PERCENT || (at == ALL && progress->shown < ALL))
		show(progress, at);
}

void progress_end(struct progress *progress)
{
	if (progress->out != NULL)
		out_text(progress->out, "\n");
}
