/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a program and says what it needed: a small process of its own, because Linux counts the
 * memory that a process had before exec() as the program's.
 *
 * Usage: measure PROGRAM ARGUMENT... Prints to standard output, where the program prints nothing:
 * exit code, wall ns, user and system us, peak KiB of memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long us(struct timeval t)
{
	return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv)
{
	long long begin = now_ns();
	pid_t child = fork();
	struct rusage used;
	int status;

	if (argc < 2 || child < 0)
		return 1;
	if (child == 0) {
		int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
			_exit(127);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (wait4(child, &status, 0, &used) != child)
		return 1;
	printf("%d %lld %lld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255,
	       now_ns() - begin, us(used.ru_utime) + us(used.ru_stime), used.ru_maxrss);
	return 0;
}
