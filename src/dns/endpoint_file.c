/* SPDX-License-Identifier: Apache-2.0 */
/* Reading endpoint files: lines "KEY WORDS", of which those that do not matter are passed over. */
#include "dns/endpoint_file.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "dns/names.h"

#include <string.h>

#define MAX_NAMES 256 /* of one endpoint */

struct file_stamp file_stamp(const struct stat *st)
{
	return (struct file_stamp){.dev = st->st_dev,
				   .ino = st->st_ino,
				   .mtime_ns = st->st_mtim.tv_sec * CLOCK_NS_PER_S +
					       st->st_mtim.tv_nsec,
				   .size = st->st_size};
}

bool file_stamp_is_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->ino == b->ino && a->mtime_ns == b->mtime_ns && a->dev == b->dev &&
	       a->size == b->size;
}

void endpoint_entry_free(struct endpoint_entry *endpoint)
{
	if (!endpoint)
		return;
	free(endpoint->text);
	free(endpoint->full);
	free(endpoint->names);
	free(endpoint->links);
	free(endpoint);
}

static void make_small(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text | 0x20);
}

static void add_word(const char ***list, size_t *n, const char *word)
{
	if (*n == MAX_NAMES)
		return;
	*list = mem_realloc_array(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = word;
}

/* "ALIAS NAME" */
static void add_link(struct endpoint_entry *e, char *value)
{
	char *alias = strsep(&value, " ");

	if (!value || e->n_links + 2 > MAX_NAMES)
		return;
	add_word(&e->links, &e->n_links, alias);
	add_word(&e->links, &e->n_links, value);
}

static void read_line(struct endpoint_entry *e, const char *key, char *value)
{
	make_small(value);
	if (strcmp(key, "name") == 0)
		add_word(&e->names, &e->n_names, value);
	else if (strcmp(key, "link") == 0)
		add_link(e, value);
	else if (strcmp(key, "network") == 0)
		e->network = value;
	else if (strcmp(key, "ip4") == 0)
		ip_parse(value, &e->ip4);
	else if (strcmp(key, "ip6") == 0)
		ip_parse(value, &e->ip6);
}

/* "web.backend"; NETWORK may be NULL. (Without printf(3), the program is a fifth smaller.) */
static char *join(const char *name, const char *network)
{
	struct str out = STR_INIT;

	str_add(&out, name);
	if (network) {
		str_add_char(&out, '.');
		str_add(&out, network);
	}
	return str_take(&out);
}

static void parse_endpoint(struct endpoint_entry *e)
{
	char *cursor = e->text;
	char *line = NULL;

	while ((line = strsep(&cursor, "\n")) != NULL) {
		char *key = strsep(&line, " ");

		if (line)
			read_line(e, key, line);
	}
	if (e->n_names)
		e->full = join(e->names[0], e->network);
}

struct endpoint_entry *endpoint_entry_read(int dir_fd, const char *name, const struct stat *st)
{
	struct endpoint_entry *e = NULL;
	cleanup_str struct str text = STR_INIT;

	if (fd_read_file_at(dir_fd, name, NAMES_MAX_FILE, &text) < 0)
		return NULL;
	e = mem_zalloc(sizeof(*e));
	memcpy(e->container, name, ID_LEN);
	e->stamp = file_stamp(st);
	/* The buffer has room for a page. */
	e->text = str_dup(str_get(&text));
	parse_endpoint(e);
	return e;
}
