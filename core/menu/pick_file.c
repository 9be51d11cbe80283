/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Choosing a file, or a directory for a new one: volumes first, then one directory after the other.
 * Files that are known not to be disks are shown with the reason why they cannot be chosen.
 */
#include "base/memory.h"
#include "base/size.h"
#include "base/text.h"
#include "copy/target_contents.h"
#include "format/chain.h"
#include "menu/columns.h"
#include "menu/pick.h"
#include "platform/path.h"
#include "record/manifest.h"
#include "record/unfinished.h"

enum { VOLUME = 8, LABEL = 20, NAME = 40, DATE = 16 };

/* A file name for asking whether a volume is a possible place. */
static const char probe[] = "efi-img.new";

static bool is_separator(char c)
{
	return c == '\\' || c == '/';
}

bool path_join(char to[static PATH_BYTES], const char *directory, const char *name)
{
	size_t n = text_length(directory);
	struct out_buffer out;

	out_buffer_init(&out, to, PATH_BYTES);
	out_printf(&out.out, "%s%s%s", directory,
		   n > 0 && !is_separator(directory[n - 1]) ? "\\" : "", name);
	return !out.out.failed;
}

/* ---- volumes ---- */

static bool is_volume(const struct device *device)
{
	return device->volume.present && device->n_names > 0;
}

bool volume_root(const struct device *device, char to[static PATH_BYTES])
{
	return is_volume(device) && path_join(to, device->names[0], "");
}

static void describe_volume(const struct device_list *devices, const struct device *device,
			    struct item *item)
{
	const struct device *disk = device->parent >= 0 ? &devices->device[device->parent] : device;
	struct out_buffer out;

	out_buffer_init(&out, item->text, sizeof item->text);
	column(&out.out, device->names[0], VOLUME);
	column(&out.out, device->volume.label[0] != '\0' ? device->volume.label : "-", LABEL);
	column_size(&out.out, device->volume.size_bytes);
	out_text(&out.out, " ");
	column_size(&out.out, device->volume.free_bytes);
	out_buffer_init(&out, item->detail, sizeof item->detail);
	out_printf(&out.out, "on %s%s%s", disk->bus, disk->bus[0] != '\0' ? " " : "", disk->model);
	if (disk->serial[0] != '\0')
		out_printf(&out.out, ", serial %s", disk->serial);
	if (device->started_from)
		out_text(&out.out, "; efi-img was started from here");
	if (device->volume.read_only)
		out_text(&out.out, "; write-protected");
}

static void look_at_volume(struct ui *ui, const struct pick *pick, const struct device *device,
			   struct item *item)
{
	char root[PATH_BYTES], file[PATH_BYTES];

	item->why[0] = '\0';
	if (pick->possible == NULL || !volume_root(device, root) || !path_join(file, root, probe))
		return;
	tell(ui, "Looking at the volumes ...");
	(void)pick->possible(pick->user, file, item->why, sizeof item->why);
}

static enum way ask_volume(struct ui *ui, struct pick *pick, const struct device_list *devices,
			   struct item *item)
{
	struct list list = {
		.title = pick->title,
		.step = pick->step,
		.head = "",
		.ask = pick->place ? "Where should the new image be?" : "Choose a volume",
		.columns = "Volume   Label                     Size      Free",
		.help = pick->help,
		.empty = "The firmware has found no volume with files. It reads FAT: plug in a "
			 "stick that is formatted with FAT, then press r.",
		.letters = "",
		.letters_help = "r look again  ",
		.item = item,
		.mark = LIST_NONE,
	};
	enum way way;

	for (size_t i = 0; i < devices->n; i++) {
		if (!is_volume(&devices->device[i]))
			continue;
		describe_volume(devices, &devices->device[i], &item[list.n]);
		look_at_volume(ui, pick, &devices->device[i], &item[list.n++]);
	}
	way = list_ask(ui, &list);
	for (size_t i = 0, left = (size_t)list.chosen; way == WAY_NEXT && i < devices->n; i++)
		if (is_volume(&devices->device[i]) && left-- == 0)
			/* cannot fail: names of volumes are short */
			(void)volume_root(&devices->device[i], pick->directory);
	return way == WAY_NEXT ? WAY_AGAIN : way;
}

static enum way pick_volume(struct ui *ui, struct pick *pick)
{
	struct inventory inventory;
	struct item *item;
	struct error err;
	enum way way = WAY_BACK;
	size_t n = 0;

	tell(ui, "Looking at the volumes ...");
	if (inventory_read(&inventory, &err) != ST_OK) {
		pick_failed(ui, pick->title, &err);
		return WAY_BACK;
	}
	for (size_t i = 0; i < inventory.devices.n; i++)
		n += is_volume(&inventory.devices.device[i]);
	item = mem_alloc(n * sizeof *item);
	if (item != NULL) {
		way = ask_volume(ui, pick, &inventory.devices, item);
	} else {
		(void)fail_no_memory(&err);
		pick_failed(ui, pick->title, &err);
	}
	mem_free(item);
	inventory_free(&inventory);
	return way;
}

/* ---- directories ---- */

void file_list_free(struct file_list *list)
{
	for (size_t i = 0; list->entry != NULL && i < list->n; i++)
		mem_free(list->entry[i].name);
	mem_free(list->entry);
}

int file_compare(const char *a, const char *b)
{
	while (*a != '\0' && text_lower(*a) == text_lower(*b)) {
		a++;
		b++;
	}
	return (unsigned char)text_lower(*a) - (unsigned char)text_lower(*b);
}

bool file_ends_in(const char *name, const char *ending)
{
	size_t n = text_length(name), n_ending = text_length(ending);

	return n > n_ending && text_equal_nocase(name + n - n_ending, ending);
}

/* A file with a part of a disk, as a VMDK image in several files names it: "pc-s001.vmdk". */
static bool is_extent(const char *name)
{
	size_t n = text_length(name);

	if (!file_ends_in(name, ".vmdk") || n < sizeof "x-s001.vmdk" - 1)
		return false;
	name += n - (sizeof "-s001.vmdk" - 1);
	return name[0] == '-' && (text_lower(name[1]) == 's' || text_lower(name[1]) == 'f') &&
	       text_is_digit(name[2]) && text_is_digit(name[3]) && text_is_digit(name[4]);
}

/* Files that lie beside images: journals, logs, programs and texts. */
static bool is_beside_images(const char *name)
{
	static const char *const endings[] = { ".log", ".jsonl", ".json",   ".efi",
					       ".txt", ".nsh",   ".man",    ".md",
					       ".cer", ".crt",   ".cfg",    ".ini",
					       ".inf", ".pdf",   ".sha256", MANIFEST_ENDING };
	bool ret = journal_is_name(name) || is_extent(name);

	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		ret = ret || file_ends_in(name, endings[i]);
	return ret;
}

static bool is_wanted(const struct pick *pick, const struct file_entry *entry)
{
	if (entry->directory)
		return true;
	return !pick->place && (!pick->images || pick->all || !is_beside_images(entry->name));
}

static bool is_before(const struct pick *pick, const struct file_entry *a,
		      const struct file_entry *b)
{
	int names = file_compare(a->name, b->name);

	if (is_wanted(pick, a) != is_wanted(pick, b))
		return is_wanted(pick, a);
	if (a->directory != b->directory)
		return a->directory;
	return names < 0;
}

/*
 * Sorts by name: directories, files, and at the end the files that are not shown. Returns the
 * number of the others.
 */
static size_t sort(const struct pick *pick, struct file_list *list)
{
	size_t shown = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct file_entry entry = list->entry[i];
		size_t at = i;

		for (; at > 0 && is_before(pick, &entry, &list->entry[at - 1]); at--)
			list->entry[at] = list->entry[at - 1];
		list->entry[at] = entry;
		shown += is_wanted(pick, &entry);
	}
	return shown;
}

/* Returns whether `other` is `name` with `more` after it, in any case. */
static bool is_extended(const char *other, const char *name, const char *more)
{
	while (*name != '\0' && text_lower(*other) == text_lower(*name)) {
		other++;
		name++;
	}
	return *name == '\0' && text_equal_nocase(other, more);
}

/* Returns whether there is a file of this name with `ending` after it. */
static bool has_file(const struct file_list *files, const char *name, const char *ending)
{
	for (size_t i = 0; i < files->n; i++)
		if (is_extended(files->entry[i].name, name, ending))
			return true;
	return false;
}

static bool has_journal(const struct file_list *files, const char *name)
{
	return has_file(files, name, ".resume") || has_file(files, name, ".resume.new");
}

/*
 * Describes the progress of an unfinished image: the reason why it cannot be chosen, if it would
 * have to be opened.
 */
static void describe_unfinished(const struct pick *pick, const char *name, struct item *item)
{
	char *to = pick->opens ? item->why : item->detail, *path = mem_alloc(PATH_BYTES);
	struct unfinished *unfinished = mem_alloc(sizeof *unfinished);
	struct out_buffer out;

	if (path != NULL && unfinished != NULL && path_join(path, pick->directory, name) &&
	    unfinished_look(path, unfinished)) {
		out_buffer_init(&out, to, sizeof item->why);
		out_text(&out.out, "unfinished: ");
		unfinished_print(unfinished, &out.out);
		if (unfinished->resumes)
			out_text(&out.out, "; the start page offers to continue it");
	}
	mem_free(unfinished);
	mem_free(path);
}

/*
 * Prints what an image is, and where it comes from, as far as its manifest knows. `path` has room
 * for the name of the manifest, which it becomes.
 */
static void print_image(struct storage *storage, char *path, bool has_manifest, struct item *item)
{
	struct image *image;
	struct out_buffer out, ending;
	struct error ignored; /* shown when it is chosen */
	size_t n;

	out_buffer_init(&out, item->detail, sizeof item->detail);
	if (image_open(storage, path, NULL, &image, &ignored) == ST_OK) {
		if (!image->format->flat) {
			out_printf(&out.out, "%s, a disk of ", image->format->name);
			size_print(&out.out, image->size);
		}
		image_close(image);
	}
	if (!has_manifest)
		return;
	out_buffer_init(&ending, path + text_length(path), sizeof MANIFEST_ENDING);
	out_text(&ending.out, MANIFEST_ENDING);
	n = out.length;
	out_text(&out.out, n > 0 ? ", of " : "of ");
	manifest_print_source(path, &out.out);
	if (out.length <= n + sizeof ", of " - 1)
		item->detail[n] = '\0';
}

/*
 * Describes a file that may be an image; one in a foreign format cannot be chosen where it would
 * have to be opened. Errors are shown when it is chosen.
 */
static void describe_image(struct ui *ui, const struct pick *pick, const struct file_list *files,
			   const char *name, struct item *item)
{
	char *path = mem_alloc(PATH_BYTES + sizeof MANIFEST_ENDING);
	const struct foreign *foreign = NULL;
	struct storage storage;
	struct out_buffer out;
	struct error ignored;
	uint64_t bytes;

	tell(ui, "Looking at the files ...");
	if (storage_begin(&storage, NULL, &ignored) == ST_OK && path != NULL &&
	    path_join(path, pick->directory, name) &&
	    image_foreign(&storage, path, &foreign, &bytes, &ignored) == ST_OK) {
		out_buffer_init(&out, pick->opens ? item->why : item->detail, sizeof item->why);
		if (foreign != NULL)
			foreign_print(foreign, &out.out);
		else
			print_image(&storage, path, has_file(files, name, MANIFEST_ENDING), item);
	}
	storage_end(&storage);
	mem_free(path);
}

void file_print_date(const struct file_entry *entry, struct out *out)
{
	if (entry->changed.year > 0)
		out_printf(out, "%04u-%02u-%02u %02u:%02u", entry->changed.year,
			   entry->changed.month, entry->changed.day, entry->changed.hour,
			   entry->changed.minute);
}

void file_print(const struct file_entry *entry, struct out *out)
{
	size_print(out, entry->size_bytes);
	if (entry->changed.year > 0)
		out_text(out, ", last written ");
	file_print_date(entry, out);
}

static void describe_entry(const struct file_entry *entry, struct item *item)
{
	struct out_buffer out;

	item->detail[0] = item->why[0] = '\0';
	out_buffer_init(&out, item->text, sizeof item->text);
	column(&out.out, entry->name, NAME);
	if (entry->directory) {
		out_text(&out.out, "directory");
		return;
	}
	column_size(&out.out, entry->size_bytes);
	out_text(&out.out, "  ");
	file_print_date(entry, &out.out);
}

/* Goes one directory up; from the root of a volume to the list of volumes. */
static void go_up(char directory[static PATH_BYTES])
{
	size_t root = path_volume_length(directory), n = text_length(directory);

	while (n > root && is_separator(directory[n - 1]))
		n--;
	if (n == root) {
		directory[0] = '\0';
		return;
	}
	while (n > root && !is_separator(directory[n - 1]))
		n--;
	directory[n > root + 1 ? n - 1 : n] = '\0';
}

/* Describes an image. Returns false if it cannot be opened, and has to be. */
static bool opens(struct pick *pick, struct error *err)
{
	struct out_buffer out;
	struct disk_contents contents;
	struct storage storage;
	struct chain chain;
	struct error ignored;

	out_buffer_init(&out, pick->brief, sizeof pick->brief);
	out_text(&out.out, path_leaf(pick->file));
	out_buffer_init(&out, pick->words, sizeof pick->words);
	pick->disk_bytes = 0;
	pick->repairable = true;
	if (storage_begin(&storage, NULL, err) != ST_OK ||
	    chain_open_disk(&storage, pick->file, NULL, &chain, err) != ST_OK) {
		storage_end(&storage);
		return !pick->opens;
	}
	pick->disk_bytes = chain.link[0].image->size;
	pick->repairable = chain.link[0].image->format->check.repair != NULL;
	/* The command will report what cannot be read. */
	pick->doubt = DOUBT_NONE;
	if (disk_contents_look(chain.link[0].image, 0, true, &contents, &ignored) == ST_OK)
		pick->doubt = disk_contents_doubt(&contents);
	out_printf(&out.out, "%s, a disk of ", chain.link[0].image->format->name);
	size_print(&out.out, chain.link[0].image->size);
	out_buffer_init(&out, pick->brief, sizeof pick->brief);
	out_printf(&out.out, "%s (%s, ", path_leaf(pick->file), chain.link[0].image->format->name);
	size_print(&out.out, chain.link[0].image->size);
	out_text(&out.out, ")");
	chain_close(&chain);
	storage_end(&storage);
	return true;
}

void pick_look_again(struct pick *pick)
{
	struct error ignored;

	(void)opens(pick, &ignored);
}

/* Enters a directory, or takes a file. */
static enum way enter(struct ui *ui, struct pick *pick, const struct file_entry *entry)
{
	struct out_buffer out;
	struct error err;

	if (!path_join(pick->text, pick->directory, entry->name)) {
		error_set(&err, "%.100s...: its path is longer than %d bytes", entry->name,
			  PATH_BYTES - 1);
		pick_failed(ui, pick->title, &err);
		return WAY_AGAIN;
	}
	out_buffer_init(&out, entry->directory ? pick->directory : pick->file, PATH_BYTES);
	out_text(&out.out, pick->text);
	if (entry->directory)
		return WAY_AGAIN;
	if (opens(pick, &err))
		return WAY_NEXT;
	pick_failed(ui, pick->title, &err);
	return WAY_AGAIN;
}

static enum way ask_entry(struct ui *ui, struct pick *pick, const struct file_list *files,
			  size_t shown, struct item *item)
{
	size_t here = pick->place;
	struct out_buffer out;
	struct list list = {
		.title = pick->title,
		.step = pick->step,
		.head = "",
		.ask = pick->text,
		.help = pick->help,
		.columns = "Name                                          Size  Changed",
		.empty = "This directory is empty.",
		.letters = "",
		.letters_help = "r look again  ",
		.item = item,
		.n = shown + here,
		.mark = LIST_NONE,
	};
	enum way way;

	if (pick->images) {
		list.letters = "a";
		list.letters_help = pick->all ? "a images only  " : "a all files  ";
	}
	out_buffer_init(&out, pick->text, sizeof pick->text);
	out_printf(&out.out, "%s in %s%s", pick->ask, pick->directory,
		   files->more ? "  (incomplete: too many entries)" : "");
	if (pick->place) {
		list.columns = "";
		out_buffer_init(&out, item[0].text, sizeof item[0].text);
		out_printf(&out.out, "Here, in %s", pick->directory);
		item[0].detail[0] = item[0].why[0] = '\0';
	}
	for (size_t i = 0; i < shown; i++) {
		describe_entry(&files->entry[i], &item[here + i]);
		if (pick->images && has_journal(files, files->entry[i].name))
			describe_unfinished(pick, files->entry[i].name, &item[here + i]);
		else if (pick->images && !files->entry[i].directory)
			describe_image(ui, pick, files, files->entry[i].name, &item[here + i]);
	}
	way = list_ask(ui, &list);
	if (way == WAY_KEY) {
		pick->all = !pick->all;
		return WAY_AGAIN;
	}
	if (way == WAY_BACK) {
		go_up(pick->directory);
		return WAY_AGAIN;
	}
	if (way != WAY_NEXT || (pick->place && list.chosen == 0))
		return way;
	return enter(ui, pick, &files->entry[(size_t)list.chosen - here]);
}

static enum way pick_entry(struct ui *ui, struct pick *pick)
{
	struct error err;
	struct file_list files;
	struct item *item = NULL;
	enum way way;
	size_t shown = 0;
	enum status st = platform_list(pick->directory, &files, &err);

	if (st == ST_OK) {
		shown = sort(pick, &files);
		item = mem_alloc((shown + pick->place) * sizeof *item);
		if (item == NULL)
			st = fail_no_memory(&err);
	}
	if (st == ST_OK) {
		way = ask_entry(ui, pick, &files, shown, item);
	} else {
		pick_failed(ui, pick->title, &err);
		pick->directory[0] = '\0'; /* the volume may be gone: back to the list of volumes */
		way = st == ST_NO_MEMORY ? WAY_BACK : WAY_AGAIN;
	}
	mem_free(item);
	file_list_free(&files);
	return way;
}

enum way pick_file(struct ui *ui, struct pick *pick)
{
	enum way way;

	do
		way = pick->directory[0] == '\0' ? pick_volume(ui, pick) : pick_entry(ui, pick);
	while (way == WAY_AGAIN && !ui->gone);
	return ui->gone ? WAY_QUIT : way;
}
