#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"

/*
 * All that the core needs from outside, besides memcpy, memmove, memset and memcmp. It is implemented twice: over
 * UEFI in drivers/uefi/, and over POSIX in drivers/posix/ for build/host/efi-img.
 *
 * Names of files and devices are UTF-8, as the person wrote them: "fs0:\dir\a.qcow2", "a.qcow2", "blk2:"; on the
 * host, paths.
 */

struct blk;
struct out;

/* ---- Memory ---- */

/* `n` zeroed bytes, aligned for any type. NULL: none left. n = 0 gives a pointer that can be freed. */
void *mem_alloc(size_t n);
void mem_free(void *); /* NULL is allowed */

/* `n` > 0 bytes, page-aligned, contents undefined: a buffer that every device can transfer from. */
void *io_alloc(size_t n);
void io_free(void *, size_t n); /* with the same `n`; NULL is allowed */

/* ---- Failure and interruption ---- */

/* Says that this program contains a mistake, where, and ends it. */
_Noreturn void platform_panic(const char *what, const char *file, int line);

/*
 * True from the moment the person has stopped the work. Cheap enough to be asked once per transfer,
 * on the boot processor. In the UEFI shell and on Linux Ctrl-C stops at once, as it does for every
 * other command there. Where efi-img has the console for itself, Ctrl-C only asks (platform/stop.h),
 * and the work goes on until that is confirmed.
 */
bool platform_cancelled(void);

/* What was asked for till now is over: it is false again, until the person asks once more. */
void platform_cancelled_forget(void);

/*
 * Where that question is shown: `show` is called by platform_cancelled() and
 * platform_cancelled_forget(), with true when it is asked and with false when it is over. NULL: in
 * a line on the console, as at the start.
 */
void platform_cancel_ask(void (*show)(void *user, bool asked), void *user);

/* ---- The machine ---- */

/* What the program runs on, for people: maker and version of the firmware. Never NULL. */
const char *platform_firmware(void);

/* ---- After a job ---- */

/* What becomes of the machine then. */
enum ending {
	ENDING_UNSAID, /* nobody has decided it: for a person to see the result */
	ENDING_SHELL,  /* efi-img ends, for whoever started it to go on */
	ENDING_WAIT,   /* until Enter is pressed; then like ENDING_SHELL */
	ENDING_REBOOT,
	ENDING_POWER_OFF,
};

/* Does it. It comes back with ENDING_UNSAID and ENDING_SHELL, when a key was pressed, and where it cannot be done. */
void platform_end(enum ending);

/* Tells whoever runs this virtual machine how a job has ended, who may end it at that. On a real machine it does nothing. */
void platform_tell(unsigned exit_code);

/* ---- Clock ---- */

/* The time since 1970, UTC. False: the machine does not know it, and both are 0. */
bool platform_time(int64_t *ret_unix_seconds, uint32_t *ret_nanoseconds);

/* Nanoseconds since some moment in the past; it never goes back. Exact to some microseconds. */
uint64_t platform_nanoseconds(void);

/* Local time minus UTC, in seconds, at that moment (seconds since 1970, UTC). 0 where the machine does not know. */
int32_t platform_utc_offset(int64_t unix_seconds);

/* ---- Other processors ---- */

/*
 * Has `least` to `most` other processors call run(arg, n), n = 1, 2, ..., and says how many do; 0: there are not so many. What they
 * run needs less than 16 KiB of stack and calls of the platform only platform_word_wait(), platform_word_wake() and,
 * where platform_processors_read() says so, what reads a blk that is open.
 */
size_t platform_processors_start(size_t least, size_t most, void (*run)(void *arg, size_t n), void *arg);

/* Returns when all of them have returned from run(). Those that do not within some seconds are stopped. */
void platform_processors_stop(void);

/* Whether several processors can read at the same time. */
bool platform_processors_read(void);

/*
 * Returns when `*word` is something else than `seen`; false: it was still that after so many milliseconds. 0: waits
 * for ever, the only way on another processor than the boot processor.
 */
bool platform_word_wait(const atomic_uint_least32_t *word, uint32_t seen, unsigned milliseconds);

/* Says that `*word` was changed. */
void platform_word_wake(const atomic_uint_least32_t *word);

/* ---- Files and devices by name ---- */

enum open_mode {
	OPEN_READ,  /* the blk has no write: nothing can be written through it */
	OPEN_WRITE,
};

/*
 * Opens an existing file, or a device by its map name, as a blk that the caller closes. Errors: ST_NOT_FOUND,
 * ST_INVALID (a directory), ST_NO_MEDIUM, ST_READ_ONLY, ST_DENIED, ST_IO, ST_CORRUPT, ST_NO_MEMORY; a device for
 * writing, which is platform_open_target(): ST_UNSUPPORTED.
 */
enum status platform_open(const char *name, enum open_mode, struct blk **ret, struct error *);

/* What the making of a file of some name would meet. */
struct place {
	bool exists;               /* there is such a file already */
	uint64_t existing_bytes;   /* what it occupies on the volume, free again once it is emptied */
	uint64_t free_bytes;       /* on the volume */
	uint64_t file_limit_bytes; /* the largest file that the file system can hold */
	uint32_t cluster_bytes;    /* files occupy multiples of this, > 0 */
	bool sparse;               /* zeros at the end of a growing file take no space here */
	uintptr_t volume;          /* equal for places on the same volume */
	char volume_name[64];      /* for messages: "fs0:" */
};

/*
 * Looks, without changing anything, at where a file of this name would be. Errors: ST_NOT_FOUND (volume or
 * directory), ST_INVALID (a device, a directory, no file name, a character that no name may have), ST_READ_ONLY (the
 * volume), ST_NO_MEDIUM, ST_IO, ST_CORRUPT.
 */
enum status platform_look(const char *name, struct place *ret, struct error *);

/*
 * Makes an empty file, opened for writing. An existing file is ST_EXISTS and untouched, unless `replace`: then it is
 * emptied. Otherwise the errors of platform_look(), and ST_NO_SPACE, ST_DENIED.
 */
enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *);

/*
 * Makes sure that a file of this name, whether it is there or not, can be written to other than at
 * its end: the file systems of some firmware cut a file off after whatever is written to it. It is
 * found by trial, with a small file beside it that is removed, once for each volume. To be called
 * before the first byte of what is written so, and not where nothing is to be written. Errors:
 * ST_UNSUPPORTED (the file system is one of these), those of platform_look(), platform_create() and
 * platform_remove().
 */
enum status platform_check_rewrite(const char *name, struct error *);

/* Removes a file. The caller has closed its blk. */
enum status platform_remove(const char *name, struct error *);

/*
 * Which file a name leads to, however it is written: upper or lower case, short names, ".", hard and symbolic links. It
 * need not be there yet. Two names lead to the same file if their entries are equal, or if both have a node and the
 * nodes are equal.
 */
struct file_identity {
	char *entry;        /* its volume, up to the first ':', the directory, and the name in it, spelled in one way */
	char *node;         /* what it is whatever its names are; NULL: it is not there, or its volume has no links */
	bool any_directory; /* the directory is not known: the entry is the volume and the name */
};

/*
 * The identity of a file, existing or not, in a directory that exists. Both texts are the caller's, who frees them with
 * mem_free(). Errors: those of platform_look().
 */
enum status platform_identify(const char *name, struct file_identity *ret, struct error *);

/*
 * The name of a file, existing or not, that leads to it from any directory: "fs0:\dir\a.qcow2"; on the host, an absolute
 * path. The caller's, freed with mem_free(). Errors: those of platform_look().
 */
enum status platform_full_name(const char *name, char **ret, struct error *);

/*
 * What may be changed. platform_create(), platform_open() for writing, platform_remove() and platform_open_target() end
 * the program if they are asked to change something that is not permitted: the check that nothing is lost has missed it.
 */
struct permit {
	bool (*allows_file)(const struct permit *, const struct file_identity *);
	bool (*allows_device)(const struct permit *, uintptr_t id); /* of struct device */
};

/* From now on, this is what may be changed; NULL: nothing. Returns what was permitted before. */
const struct permit *platform_permit(const struct permit *);

/*
 * Files that the standard and the error output go to, from index 0 on, as far as it can be told: where only the name of
 * a file and the numbers of its volume are known, there is one for each volume that has them. The identity is the caller's
 * then. False: there are no more.
 */
bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id);

/* One of the files and directories in a directory. */
struct file_entry {
	char *name;       /* UTF-8, without the directory */
	bool directory;
	uint64_t size_bytes;
	struct {
		uint16_t year; /* 0: nobody knows */
		uint8_t month, day, hour, minute;
	} changed;        /* in whatever time the file system has */
};

enum { FILE_LIST_MAX = 2000 };

struct file_list {
	struct file_entry *entry; /* in any order, without "." and ".." */
	size_t n;
	bool more;        /* there are more than FILE_LIST_MAX */
};

/*
 * What is in a directory: "fs0:\", "fs0:\dir". The names and the array are the caller's then, on failure too, who frees
 * them with mem_free(). Errors: those of platform_open(); ST_INVALID (it is none).
 */
enum status platform_list(const char *name, struct file_list *ret, struct error *);

/*
 * The folder for logs, made where it is missing: its name, up to and with the separator behind it. It is on the volume that
 * efi-img was started from. Freed with mem_free(). Errors: ST_NOT_FOUND (that volume is not known), ST_READ_ONLY,
 * ST_NO_SPACE, and others of platform_create().
 */
enum status platform_logs(char **ret, struct error *);

/* ---- Devices ---- */

/* A file system that the firmware has mounted on a device. */
struct volume_info {
	bool present;
	bool read_only;
	char *label;         /* "" without one */
	uint64_t size_bytes;
	uint64_t free_bytes;
};

enum { DEVICE_NO_PARENT = -1 };

/*
 * A disk, or a partition that the firmware shows as a device of its own. Strings are never NULL, "" where nothing is
 * known.
 */
struct device {
	uintptr_t id;           /* what the platform knows it by; equal: the same device */
	uint32_t medium_id;     /* of the medium in it now */
	char **names;           /* its map names, best first: "fs0:", "blk1:" */
	size_t n_names;
	char *path;             /* device path in its text form */
	int parent;             /* a partition: the index of its disk; a disk: DEVICE_NO_PARENT */
	uint64_t start_bytes;   /* a partition: where it begins on its disk */
	const char *bus;        /* "NVMe", "SATA", "USB", "SCSI", "virtio", "SD", ...; static */
	char *model;
	char *serial;
	uint64_t size_bytes;    /* 0 without a medium */
	uint32_t block_bytes;
	bool removable;
	bool read_only;
	bool medium;            /* there is a medium in the drive */
	bool started_from;      /* efi-img was started from this device */
	bool current;           /* the current directory is on it */
	bool flushes;           /* a flush is passed on to the drive, as far as can be told */
	struct volume_info volume;
	struct blk *blk;        /* for reading; NULL without a medium */
};

struct device_list {
	struct device *device; /* disks before their partitions, in the order of the map names */
	size_t n;
};

/* Every block device that the machine has, drivers connected first. All of it is the caller's then, on failure too. */
enum status platform_devices(struct device_list *ret, struct error *);

/*
 * Opens a device of platform_devices(), which has a medium, for reading: blk_writes() counts from here on. The caller
 * closes it. Errors: those of platform_open() for a device.
 */
enum status platform_open_device(const struct device *, struct blk **ret, struct error *);

/*
 * The device that a file, or the place for a new one, is on, or that a name of the map means. False: none that
 * platform_devices() has.
 */
bool platform_device_of(const char *name, uintptr_t *ret_id);

/*
 * Opens a device of platform_devices() to be written over, for nobody else until it is closed: what the firmware has
 * mounted on it is taken down before, and mounted again then. Each write makes sure that it is still the device that
 * was listed, with the same medium. A device that is gone, or exchanged, is ST_MEDIUM_CHANGED from then on, whatever
 * comes in its place. Other blks on it, or on its partitions, may only be closed meanwhile. Errors: ST_DENIED,
 * ST_MEDIUM_CHANGED, ST_READ_ONLY, ST_NO_MEDIUM, ST_NO_MEMORY.
 */
enum status platform_open_target(const struct device *, struct blk **ret, struct error *);
