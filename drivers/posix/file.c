/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files by name (platform/files.h), on POSIX.
 *
 * The identity of a file is its device and inode, whatever its names; of a file that does not
 * exist, the device and inode of its directory, and its name. Symbolic links are followed for both,
 * up to the file that would be created through a link to nothing.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "host.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "platform/permit.h"

static const struct file_blk_kind for_reading = { .block_bytes = 1, .buffer_align = 1 };
static const struct file_blk_kind for_writing = { .writable = true,
						  .block_bytes = 1,
						  .buffer_align = 1 };

/* What to do about an error; "" where there is nothing to say. */
static const char *advice(enum status st)
{
	switch (st) {
	case ST_NOT_FOUND:
		return "; check the spelling of the name and of its directories";
	case ST_EXISTS:
		return "; give another name, or --force to overwrite it";
	case ST_DENIED:
		return "; check its permissions and whether it is in use";
	case ST_READ_ONLY:
		return "; choose a place that can be written to";
	case ST_NO_SPACE:
		return "; free some space or choose another volume";
	default:
		return "";
	}
}

static enum status fail_errno(struct error *err, const char *name, const char *deed)
{
	int number = errno;
	enum status st = status_of_errno(number);

	if (number == EISDIR)
		return fail(err, st, "cannot %s %s: it is a directory; name a file", deed, name);
	return fail(err, st, "cannot %s %s: %s%s", deed, name,
		    st == ST_IO ? strerror(number) : status_text(st), advice(st));
}

/* Refuses everything but regular files and, for reading, block devices. */
static enum status check_kind(int fd, const char *name, enum open_mode mode, struct error *err)
{
	struct stat about;

	if (fstat(fd, &about) != 0)
		return fail_errno(err, name, "open");
	if (S_ISREG(about.st_mode))
		return ST_OK;
	if (S_ISDIR(about.st_mode))
		return fail(err, ST_INVALID, "cannot open %s: it is a directory; name a file",
			    name);
	if (!S_ISBLK(about.st_mode))
		return fail(err, ST_INVALID, "cannot open %s: it is neither a file nor a disk",
			    name);
	if (mode == OPEN_WRITE)
		return fail(err, ST_UNSUPPORTED,
			    "cannot open %s for writing: it is a device, not a file", name);
	return ST_OK;
}

static enum status open_file(const char *name, int flags, enum open_mode mode, struct blk **ret,
			     struct error *err)
{
	/* O_NONBLOCK: opening a pipe must not wait for its other end */
	int fd = open(name, flags | O_CLOEXEC | O_NONBLOCK, 0666);
	enum status st;

	if (fd < 0)
		return fail_errno(err, name, (flags & O_CREAT) != 0 ? "create" : "open");
	st = check_kind(fd, name, mode, err);
	if (st == ST_OK) {
		st = file_blk_open(fd, mode == OPEN_WRITE ? &for_writing : &for_reading, ret);
		if (st != ST_OK)
			st = fail(err, st, "cannot open %s: %s", name, status_text(st));
	}
	if (st != ST_OK)
		close(fd);
	return st;
}

/* The directory of a file of this name. False: the name ends in '/', or is too long. */
static bool directory_of(const char *name, char *to, size_t capacity)
{
	const char *slash = strrchr(name, '/');
	size_t n = slash == NULL ? 0 : slash == name ? 1 : (size_t)(slash - name);

	if ((slash != NULL ? slash + 1 : name)[0] == '\0' || n >= capacity)
		return false;
	snprintf(to, capacity, "%.*s", n > 0 ? (int)n : 1, n > 0 ? name : ".");
	return true;
}

/* ---- Identity ---- */

enum { NAME_BYTES = 1024 };

static const struct permit *permitted; /* the one that platform_permit() has set */

const struct permit *platform_permit(const struct permit *permit)
{
	const struct permit *before = permitted;

	permitted = permit;
	return before;
}

static char *node_text(const struct stat *about)
{
	char text[64];

	snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)about->st_dev, (uintmax_t)about->st_ino);
	return text_copy(text);
}

/* Replaces the name of a symbolic link to a missing file by that of the file. False: it is none. */
static bool follow(char name[static NAME_BYTES])
{
	char target[NAME_BYTES];
	const char *slash = strrchr(name, '/');
	size_t keep = slash != NULL ? (size_t)(slash + 1 - name) : 0;
	struct stat about;
	ssize_t n;

	if (lstat(name, &about) != 0 || !S_ISLNK(about.st_mode) || stat(name, &about) == 0)
		return false;
	n = readlink(name, target, sizeof target);
	if (n > 0 && target[0] == '/')
		keep = 0;
	if (n <= 0 || keep + (size_t)n >= NAME_BYTES)
		return false;
	memcpy(name + keep, target, (size_t)n);
	name[keep + (size_t)n] = '\0';
	return true;
}

static enum status identify(const char *name, struct file_identity *ret, struct error *err)
{
	char directory[NAME_BYTES], text[NAME_BYTES + 64];
	const char *slash = strrchr(name, '/');
	struct stat about;

	if (!directory_of(name, directory, sizeof directory))
		return fail(err, ST_INVALID, "\"%s\" is not a file name", name);
	if (stat(directory, &about) != 0)
		return fail_errno(err, directory, "look into the directory");
	snprintf(text, sizeof text, "%ju:%ju/%s", (uintmax_t)about.st_dev, (uintmax_t)about.st_ino,
		 slash != NULL ? slash + 1 : name);
	ret->entry = text_copy(text);
	if (ret->entry == NULL)
		return fail_no_memory(err);
	if (stat(name, &about) != 0)
		return ST_OK;
	ret->node = node_text(&about);
	if (ret->node != NULL)
		return ST_OK;
	mem_free(ret->entry);
	return fail_no_memory(err);
}

enum status platform_identify(const char *name, struct file_identity *ret, struct error *err)
{
	enum { LINKS_MAX = 40 };
	char end[NAME_BYTES];

	*ret = (struct file_identity){ 0 };
	if (strlen(name) >= sizeof end)
		return fail(err, ST_INVALID, "%.40s...: the name is longer than %d bytes", name,
			    NAME_BYTES - 1);
	strcpy(end, name);
	for (unsigned i = 0; i < LINKS_MAX && follow(end); i++)
		continue;
	return identify(end, ret, err);
}

enum status platform_full_name(const char *name, char **ret, struct error *err)
{
	const char *slash = strrchr(name, '/');
	char directory[NAME_BYTES], *real;
	size_t n;

	if (!directory_of(name, directory, sizeof directory))
		return fail(err, ST_INVALID, "\"%s\" is not a file name", name);
	real = realpath(directory, NULL);
	if (real == NULL)
		return fail_errno(err, directory, "look into the directory");
	n = strlen(real) + strlen(name) + 2;
	*ret = mem_alloc(n);
	if (*ret != NULL)
		snprintf(*ret, n, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
			 slash != NULL ? slash + 1 : name);
	free(real);
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

/* Ends the program if the file may not be changed (platform/permit.h). */
static enum status check_permitted(const char *name, struct error *err)
{
	struct file_identity file;
	enum status st = platform_identify(name, &file, err);

	if (st != ST_OK)
		return st;
	if (permitted == NULL || !permitted->allows_file(permitted, &file))
		platform_panic("only what is in the access set is changed", __FILE__, __LINE__);
	mem_free(file.entry);
	mem_free(file.node);
	return ST_OK;
}

bool device_permitted(uintptr_t id)
{
	return permitted != NULL && permitted->allows_device(permitted, id);
}

bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id)
{
	char path[NAME_BYTES], link[32];
	struct stat about;
	ssize_t n;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || index-- > 0)
			continue;
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof path - 1);
		path[n > 0 ? n : 0] = '\0';
		if (!platform_device_of(path, ret_device_id))
			*ret_device_id = UINTPTR_MAX;
		*ret = (struct file_identity){ .entry = text_copy(path),
					       .node = node_text(&about) };
		if (ret->node != NULL && ret->entry != NULL)
			return true;
		mem_free(ret->node);
		mem_free(ret->entry);
		return false;
	}
	return false;
}

enum status platform_open(const char *name, enum open_mode mode, struct blk **ret,
			  struct error *err)
{
	struct file_disk disk;

	if (file_disk_find(name, &disk)) {
		if (mode == OPEN_WRITE)
			return fail(err, ST_UNSUPPORTED,
				    "cannot open %s for writing: it is a device, not a file", name);
		return file_disk_open(&disk, false, ret, err);
	}
	if (mode == OPEN_WRITE) {
		enum status st = check_permitted(name, err);

		if (st != ST_OK)
			return st;
	}
	return open_file(name, mode == OPEN_WRITE ? O_RDWR : O_RDONLY, mode, ret, err);
}

static enum status look_at_file(const char *name, struct place *place, struct error *err)
{
	struct stat about;

	if (stat(name, &about) != 0)
		return errno == ENOENT ? ST_OK : fail_errno(err, name, "look at");
	if (S_ISDIR(about.st_mode))
		return fail(err, ST_INVALID, "%s is a directory; name a file", name);
	if (!S_ISREG(about.st_mode))
		return fail(err, ST_INVALID, "%s is a device; name a file", name);
	place->exists = true;
	place->existing_bytes = (uint64_t)about.st_blocks * 512;
	return ST_OK;
}

enum status platform_look(const char *name, struct place *ret, struct error *err)
{
	struct place place = { .file_limit_bytes = SIZE_LIMIT, .sparse = true };
	char directory[1024];
	struct file_disk disk;
	struct statvfs volume;
	struct stat about;

	if (file_disk_find(name, &disk))
		return fail(err, ST_INVALID, "%s is a device; name a file", name);
	if (!directory_of(name, directory, sizeof directory))
		return fail(err, ST_INVALID, "\"%s\" is not a file name", name);
	if (stat(directory, &about) != 0 || statvfs(directory, &volume) != 0)
		return fail_errno(err, directory, "look into the directory");
	if (!S_ISDIR(about.st_mode))
		return fail(err, ST_NOT_FOUND,
			    "%s is not a directory; check the spelling of the name", directory);
	if ((volume.f_flag & ST_RDONLY) != 0)
		return fail(err, ST_READ_ONLY,
			    "%s is on a write-protected volume; choose another place", directory);
	place.free_bytes = (uint64_t)volume.f_bavail * volume.f_frsize;
	place.cluster_bytes = (uint32_t)max_u64(volume.f_frsize, 1);
	place.volume = (uintptr_t)about.st_dev; /* 32 bits at least: all that Linux uses */
	snprintf(place.volume_name, sizeof place.volume_name, "%.63s", directory);
	*ret = place;
	return look_at_file(name, ret, err);
}

enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *err)
{
	struct place place;
	enum status st = platform_look(name, &place, err);

	if (st == ST_OK)
		st = check_permitted(name, err);
	if (st != ST_OK)
		return st;
	return open_file(name, O_RDWR | O_CREAT | (replace ? O_TRUNC : O_EXCL), OPEN_WRITE, ret,
			 err);
}

/* Nothing to try: a POSIX write changes the bytes that it covers and no others. */
enum status platform_check_rewrite(const char *name, struct error *err)
{
	return check_permitted(name, err);
}

enum status platform_remove(const char *name, struct error *err)
{
	enum status st = check_permitted(name, err);

	if (st != ST_OK)
		return st;
	return unlink(name) == 0 ? ST_OK : fail_errno(err, name, "remove");
}

enum status platform_rename(const char *name, const char *to, struct error *err)
{
	enum status st = check_permitted(name, err);

	if (st == ST_OK)
		st = check_permitted(to, err);
	if (st != ST_OK)
		return st;
	if (renameat2(AT_FDCWD, name, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return ST_OK;
	/* a file system without that flag: link() replaces nothing, either */
	if (errno == EINVAL && link(name, to) == 0)
		return unlink(name) == 0 ? ST_OK : fail_errno(err, name, "rename");
	return fail_errno(err, errno == EEXIST ? to : name, "rename");
}

enum status platform_logs(char **ret, struct error *err)
{
	const char *folder = getenv("EFI_IMG_LOGS");
	size_t n = folder != NULL ? strlen(folder) : 0;

	if (n == 0)
		return fail(err, ST_NOT_FOUND,
			    "the environment variable EFI_IMG_LOGS does not name a directory");
	*ret = mem_alloc(n + 2);
	if (*ret == NULL)
		return fail_no_memory(err);
	snprintf(*ret, n + 2, "%s/", folder);
	if (mkdir(folder, 0777) == 0 || errno == EEXIST)
		return ST_OK;
	mem_free(*ret);
	return fail_errno(err, folder, "create");
}

static enum status add_entry(struct file_list *list, const char *directory, const char *name,
			     struct error *err)
{
	struct file_entry *entry = &list->entry[list->n];
	struct stat about;
	char path[2048];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || stat(path, &about) != 0)
		return ST_OK; /* gone meanwhile, or a link to nowhere */
	entry->name = text_copy(name);
	if (entry->name == NULL)
		return fail_no_memory(err);
	entry->directory = S_ISDIR(about.st_mode);
	entry->size_bytes = (uint64_t)about.st_size;
	list->n++;
	return ST_OK;
}

enum status platform_list(const char *name, struct file_list *ret, struct error *err)
{
	DIR *directory = opendir(name);
	enum status st = ST_OK;
	struct dirent *next;

	*ret = (struct file_list){ 0 };
	if (directory == NULL)
		return fail_errno(err, name, "list");
	ret->entry = mem_alloc(FILE_LIST_MAX * sizeof *ret->entry);
	if (ret->entry == NULL)
		st = fail_no_memory(err);
	while (st == ST_OK && !ret->more && (next = readdir(directory)) != NULL) {
		if (ret->n == FILE_LIST_MAX)
			ret->more = true;
		else
			st = add_entry(ret, name, next->d_name, err);
	}
	closedir(directory);
	return st;
}
