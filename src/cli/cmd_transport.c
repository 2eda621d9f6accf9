/* SPDX-License-Identifier: Apache-2.0 */
/* Images in and out: load, save, image copy. */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "transport/new_file.h"
#include "transport/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORT_DIGEST 12

/* Shows what a transport reports: a bar for each thing that moves on a terminal. */
struct show {
	struct progress progress;
	struct progress_item *item;
	struct progress_item **items; /* owned; of what moves at once instead */
	size_t n_items;
	bool is_plain;		     /* a line for each of them where there is no terminal */
	FILE *out;		     /* where lines go */
	const struct engine *engine; /* whose journal hears of what was loaded; NULL */
};

/* A layer that the store had never got a line. */
static void show_finish(struct show *s)
{
	if (s->item)
		progress_finish(s->item);
	s->item = NULL;
	for (size_t i = 0; i < s->n_items; i++)
		if (s->items[i]->n_bytes > 0)
			progress_finish(s->items[i]);
	s->n_items = 0;
}

static struct progress_item *show_item(struct show *s, const char *what, const char *hex,
				       uint64_t size)
{
	cleanup_free char *id = str_ndup(hex, SHORT_DIGEST);

	if (s->is_plain && !isatty(s->progress.fd))
		fprintf(s->out, "%s " DIGEST_PREFIX "%s\n", what, hex);
	return progress_add(&s->progress, id, what, size);
}

static void show_begin(const char *what, const char *hex, uint64_t size, void *data)
{
	struct show *s = data;

	show_finish(s);
	s->item = show_item(s, what, hex, size);
}

static void show_add(const char *what, const char *hex, uint64_t size, void *data)
{
	struct show *s = data;

	if (s->item)
		show_finish(s);
	s->items = mem_realloc_array(s->items, s->n_items + 1, sizeof(struct progress_item *));
	s->items[s->n_items++] = show_item(s, what, hex, size);
}

/* Of more layers than are taken at a time the last ones are meant. */
static void show_progress_all(const uint64_t *n_bytes, size_t n, void *data)
{
	struct show *s = data;
	size_t first = s->n_items - n;

	for (size_t i = 0; i < n; i++)
		if (n_bytes[i] > s->items[first + i]->n_bytes)
			progress_count(n_bytes[i], s->items[first + i]);
}

static void show_progress(uint64_t n_bytes, void *data)
{
	struct show *s = data;

	if (s->item)
		progress_count(n_bytes, s->item);
}

static void show_line(const char *line, void *data)
{
	struct show *s = data;

	if (s->engine)
		event_image_loaded(s->engine, line);
	show_finish(s);
	progress_done(&s->progress);
	fprintf(s->out, "%s\n", line);
	fflush(s->out);
}

static void show_init(struct show *s, FILE *out, bool is_plain, struct transport_report *ret)
{
	*s = (struct show){.out = out, .is_plain = is_plain};
	progress_init(&s->progress, fileno(out));
	*ret = (struct transport_report){
		.begin = show_begin,
		.progress = show_progress,
		.add = show_add,
		.progress_all = show_progress_all,
		.say = show_line,
		.data = s,
	};
}

static void show_done(struct show *s)
{
	show_finish(s);
	progress_done(&s->progress);
	free(s->items);
}
#define cleanup_show __attribute__((cleanup(show_done)))

/* The one platform of --platform; NULL when it was not given. */
static int get_platform(const struct strv *platforms, const char **ret, struct err *err)
{
	if (platforms->n > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "--platform: one platform at a time, an image here is for one");
	*ret = platforms->n ? platforms->items[0] : NULL;
	return 0;
}

/* ---- load ---- */

static int open_input(const char *path, struct err *err)
{
	int fd = -1;

	if (!path || !*path) {
		if (isatty(STDIN_FILENO))
			return err_set(err, ERR_INVALID,
				       "requested load from stdin, but stdin is empty");
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY); /* lint: typed by the user */
	}
	return fd < 0 ? err_sys(err, errno, "open %s", path ? path : "standard input") : fd;
}

int cmd_load(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_show struct show show = {};
	cleanup_close int fd = -1;
	struct transport_report report;
	const char *platform = NULL;

	show_init(&show, stdout, false, &report);
	if (o->load.quiet) {
		report.begin = NULL;
		report.progress = NULL;
	}
	if (get_platform(&o->load.platforms, &platform, err) < 0)
		return -err->code;
	fd = open_input(o->load.input, err);
	if (fd < 0 || engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	show.engine = &engine;
	return image_load(engine.store, fd, platform, &report, err);
}

/* ---- save ---- */

static int open_output(const char *path, struct new_file *ret, struct err *err)
{
	if (path && *path) {
		if (new_file_open(path, 0600, ret, err) < 0)
			return err_wrap(err, "failed to save image");
		return 0;
	}
	if (isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect");
	ret->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return ret->fd < 0 ? err_sys(err, errno, "standard output") : 0;
}

int cmd_save(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_new_file struct new_file file = NEW_FILE_INIT;
	cleanup_show struct show show = {};
	struct transport_report report;
	const char *platform = NULL;

	show_init(&show, stderr, false, &report);
	if (get_platform(&o->save.platforms, &platform, err) < 0 ||
	    open_output(o->save.output, &file, err) < 0 ||
	    engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    image_save(engine.store, &cli->args, platform, file.fd, &report, err) < 0)
		return -err->code;
	strv_foreach (i, &cli->args)
		event_image_ref(&engine, cli->args.items[i], NULL, "save");
	return new_file_commit(&file, true, err);
}

/* ---- image copy ---- */

int cmd_image_copy(struct cli *cli, union verb_options *o, struct err *err)
{
	cleanup_engine struct engine engine = {};
	cleanup_show struct show show = {};
	struct transport_report report;
	mode_t mask = umask(077);

	show_init(&show, stderr, true, &report);
	if (engine_open(&engine, cli->root, cli->runroot, err) < 0)
		return -err->code;
	/* What is copied out is the user's to share; the store says the mode of each of its files.
	 */
	umask(mask);
	return image_copy(engine.store, cli->args.items[0], cli->args.items[1],
			  o->image_copy.platform, o->image_copy.quiet ? NULL : &report, err);
}
