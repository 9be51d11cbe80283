#include "base/path.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/text.h"

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

size_t path_volume_length(const char *path)
{
	for (size_t i = 0; path[i] != '\0' && !is_separator(path[i]); i++)
		if (path[i] == ':')
			return i + 1;
	return 0;
}

bool path_is_selector(const char *name)
{
	return text_starts_with(name, "serial=") || text_starts_with(name, "guid=") || text_starts_with(name, "path=");
}

char *path_relative_to(const char *base, const char *name)
{
	size_t keep = path_volume_length(base), n = text_length(name);
	char *path;

	if (path_volume_length(name) > 0 || path_is_selector(name) || path_is_selector(base))
		return text_copy(name);
	if (!is_separator(name[0]))
		for (size_t i = keep; base[i] != '\0'; i++)
			if (is_separator(base[i]))
				keep = i + 1;
	path = mem_alloc(keep + n + 1);
	if (path == NULL)
		return NULL;
	memcpy(path, base, keep);
	memcpy(path + keep, name, n);
	return path;
}
