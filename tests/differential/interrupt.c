/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into the host program: at the N-th write to a file whose path ends so, it is killed
 * (KILL=/name,N) or gets the signal of Ctrl-C (STOP=/name,N) before that write.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_due(const char *variable, int fd, int *count)
{
	const char *wanted = getenv(variable),
		   *comma = wanted != NULL ? strrchr(wanted, ',') : NULL;
	char link[64], path[4096];
	ssize_t n;
	size_t n_wanted;

	if (comma == NULL)
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	n_wanted = (size_t)(comma - wanted);
	if (n < (ssize_t)n_wanted || memcmp(path + n - n_wanted, wanted, n_wanted) != 0)
		return 0;
	return ++*count == atoi(comma + 1);
}

static ssize_t write_at(int fd, const void *bytes, size_t n, off_t offset)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);
	static int to_kill, to_stop;

	if (real == NULL)
		real = (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
	if (is_due("KILL", fd, &to_kill))
		raise(SIGKILL);
	if (is_due("STOP", fd, &to_stop))
		raise(SIGINT);
	return real(fd, bytes, n, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
	return write_at(fd, bytes, n, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t offset)
{
	return write_at(fd, bytes, n, offset);
}
