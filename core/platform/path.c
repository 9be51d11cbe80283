/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File names as text. UEFI's shell and Linux differ in separators and in how a volume is named;
 * both forms are accepted everywhere, because images carry names that were written on the other
 * system (a backing file, a data file). Nothing here asks whether a file exists.
 */
#include "platform/path.h"

#include "base/memory.h"
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
	return text_starts_with(name, "serial=") || text_starts_with(name, "guid=") ||
	       text_starts_with(name, "path=");
}

bool path_is_foreign_disk(const char *name)
{
	static const char *const beginnings[] = {
		"/dev/sd",   "/dev/hd",     "/dev/vd", "/dev/nvme", "/dev/mmcblk",
		"/dev/disk", "/dev/mapper", "\\\\.\\", "//./",
	};

	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
		if (text_starts_with(name, beginnings[i]))
			return true;
	return false;
}

const char *path_leaf(const char *path)
{
	const char *leaf = path + path_volume_length(path);

	for (const char *s = leaf; *s != '\0'; s++)
		if (is_separator(*s))
			leaf = s + 1;
	return leaf;
}

char *path_directory(const char *path)
{
	size_t n = (size_t)(path_leaf(path) - path);
	/* the current directory: of the volume that is named, or of the current one */
	bool current = n == 0 || path[n - 1] == ':';
	char *ret = mem_alloc(n + sizeof ".");

	if (ret == NULL)
		return NULL;
	memcpy(ret, path, n);
	if (current)
		ret[n] = '.';
	return ret;
}

/* The length of the beginning that both share, cut after its last separator; 0: none. */
static size_t common_length(const char *a, const char *b)
{
	size_t n = 0, i = 0;

	for (; a[i] != '\0' && (a[i] == b[i] || (is_separator(a[i]) && is_separator(b[i]))); i++)
		if (is_separator(a[i]))
			n = i + 1;
	return n;
}

char *path_from(const char *base, const char *path)
{
	size_t common = common_length(base, path), n_up = 0, at = 0;
	char *ret;

	if (common == 0) /* on different volumes */
		return text_copy(path);
	for (const char *s = base + common; *s != '\0'; s++)
		n_up += is_separator(*s);
	ret = mem_alloc(3 * n_up + text_length(path) + 1);
	if (ret == NULL)
		return NULL;
	while (n_up-- > 0) {
		ret[at++] = '.';
		ret[at++] = '.';
		ret[at++] = '/';
	}
	for (const char *s = path + common; *s != '\0'; s++)
		ret[at++] = (char)(is_separator(*s) ? '/' : *s);
	return ret;
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
