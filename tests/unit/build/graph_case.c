/* SPDX-License-Identifier: Apache-2.0 */
/* Reading cases, and the fake that knows their images. */
#include "graph_case.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "dockerfile/ignore.h"

#define MAX_FILE ((size_t)4 << 20)

static void fail(const struct graph_case *c, const char *line)
{
	fprintf(stderr, "case \"%s\": what is \"%s\"?\n", c->name, line);
	abort();
}

static void add_image(struct graph_case *c, const char *text, bool is_empty)
{
	size_t len = strcspn(text, " ");
	const char *rest = text + len + (text[len] == ' ');
	bool says_platform = *rest && *rest != '{';
	size_t platform_len = says_platform ? strcspn(rest, " ") : 0;
	const char *run = says_platform ? rest + platform_len + 1 : rest;
	struct fake_image *image = NULL;
	cleanup_strv struct strv parts = STRV_INIT;

	c->images = mem_realloc_array(c->images, c->n_images + 1, sizeof(*c->images));
	image = &c->images[c->n_images++];
	*image = (struct fake_image){
		.name = str_ndup(text, len),
		.platform = says_platform ? str_ndup(rest, platform_len) : str_dup("linux/amd64"),
		.is_empty = is_empty,
	};
	strv_split(&parts, image->platform, '/');
	image->config = str_printf(
		"{\"os\":\"%s\",\"architecture\":\"%s\",%s%s%s\"author\":\"somebody\",\"created\":"
		"\"2001-02-03T04:05:06Z\",\"config\":%s,\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[]},\"history\":[{\"created_by\":\"base\"}]}",
		parts.items[0], parts.items[1], parts.n > 2 ? "\"variant\":\"" : "",
		parts.n > 2 ? parts.items[2] : "", parts.n > 2 ? "\"," : "", run);
}

static enum build_call parse_call(const struct graph_case *c, const char *word)
{
	static const char *const words[] = {"build", "check", "outline", "targets"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			return (enum build_call)i;
	fail(c, word);
	return BUILD_CALL_BUILD;
}

static void read_option(struct graph_case *c, char *line)
{
	struct build_request *r = &c->request;
	size_t len = strcspn(line, " ");
	const char *value = line + len + (line[len] == ' ');
	const struct {
		const char *key;
		struct strv *list;
		char **text;
		bool *flag;
	} options[] = {
		{"arg", &r->build_args, NULL, NULL},
		{"context", &r->contexts, NULL, NULL},
		{"label", &r->labels, NULL, NULL},
		{"platform", &r->platforms, NULL, NULL},
		{"allow", &r->allow, NULL, NULL},
		{"no-cache-filter", &r->no_cache_filter, NULL, NULL},
		{"ignore", &c->ignored, NULL, NULL},
		{"target", NULL, &r->target, NULL},
		{"network", NULL, &r->network, NULL},
		{"epoch", NULL, &r->epoch, NULL},
		{"main", NULL, &r->context, NULL},
		{"no-cache", NULL, NULL, &r->no_cache},
		{"alone", NULL, NULL, &c->lacks_context},
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strlen(options[i].key) != len || strncmp(options[i].key, line, len) != 0)
			continue;
		if (options[i].list)
			strv_add(options[i].list, value);
		else if (options[i].text)
			str_replace(options[i].text, value);
		else
			*options[i].flag = true;
		return;
	}
	if (str_has_prefix(line, "image ") || str_has_prefix(line, "empty "))
		add_image(c, value, *line == 'e');
	else if (str_has_prefix(line, "call "))
		r->call = parse_call(c, value);
	else if (*line && *line != '#')
		fail(c, line);
}

static struct graph_case *add_case(struct graph_cases *cases, const char *name)
{
	struct graph_case *c = mem_zalloc(sizeof(*c));

	c->name = str_dup(name);
	build_request_init(&c->request);
	str_replace(&c->request.context, ".");
	add_image(c, "busybox {\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"sh\"]}", false);
	cases->items = mem_realloc_array(cases->items, cases->n + 1, sizeof(*cases->items));
	cases->items[cases->n++] = c;
	return c;
}

void graph_cases_load(const char *path, struct graph_cases *ret)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_str struct str text = STR_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_str struct str file = STR_INIT;
	struct graph_case *c = NULL;
	int part = 0; /* options, Dockerfile, expectations */

	if (fd < 0 || fd_read_all(fd, MAX_FILE, &text) < 0) {
		perror(path);
		abort();
	}
	strv_split(&lines, str_get(&text), '\n');
	strv_foreach (i, &lines) {
		char *line = lines.items[i];

		if (str_has_prefix(line, "== ")) {
			c = add_case(ret, line + 3);
			part = 0;
		} else if (strcmp(line, "--") == 0 && c && part < 2) {
			part++;
			if (part == 2)
				c->file = str_take(&file);
		} else if (c && part == 0) {
			read_option(c, line);
		} else if (c && part == 1) {
			str_addf(&file, "%s\n", line);
		} else if (c && *line && !str_has_prefix(line, "# ")) {
			strv_add(&c->expected, line);
		}
	}
}

void graph_cases_done(struct graph_cases *cases)
{
	for (size_t i = 0; i < cases->n; i++) {
		struct graph_case *c = cases->items[i];

		for (size_t k = 0; k < c->n_images; k++) {
			free(c->images[k].name);
			free(c->images[k].platform);
			free(c->images[k].config);
		}
		free(c->images);
		free(c->name);
		free(c->file);
		strv_done(&c->expected);
		strv_done(&c->ignored);
		build_request_done(&c->request);
		free(c);
	}
	free(cases->items);
}

/* ---- the fake ---- */

static int find_image(void *ctx, const char *ref, const char *platform, struct image *ret,
		      struct err *err)
{
	const struct graph_case *c = ctx;

	/* The later of two is the case's own. */
	for (size_t i = c->n_images; i > 0; i--) {
		const struct fake_image *have = &c->images[i - 1];

		if (strcmp(have->name, ref) != 0 || strcmp(have->platform, platform) != 0)
			continue;
		snprintf(ret->id, sizeof(ret->id), "%064zu", i);
		ret->config = str_dup(have->config);
		if (!have->is_empty)
			strv_addf(&ret->chain_ids, "%064zu", i);
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "not there for %s", platform);
}

static void describe(const struct graph_case *c, const struct dockerfile *file, struct strv *ret)
{
	cleanup_ignore struct ignore *ignore = NULL;
	cleanup_build_graph struct build_graph graph = {};
	struct dockerfile_lines where = {};
	struct err err = ERR_INIT;
	union {
		const struct graph_case *in;
		void *out;
	} ctx = {.in = c};
	struct build_resolver resolver = {
		.find_image = find_image, .ctx = ctx.out, .lacks_context = c->lacks_context};

	if (c->ignored.n && ignore_compile(&c->ignored, &ignore, &err) < 0)
		fail(c, err.msg);
	resolver.ignore = ignore;
	if (build_graph_make(&c->request, file, &resolver, &graph, &where, &err) == 0) {
		graph_dump(&graph, ret);
		return;
	}
	strv_addf(ret, "error %s", err.msg);
	strv_addf(ret, "at %u-%u", where.first, where.last);
	if (*err.hint)
		strv_addf(ret, "hint %s", err.hint);
}

void graph_case_describe(const struct graph_case *c, struct strv *ret)
{
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	struct dockerfile_lines where = {};
	struct err err = ERR_INIT;

	if (!c->file)
		fail(c, "a case without a Dockerfile");
	if (dockerfile_parse("Dockerfile", c->file, strlen(c->file), &file, &where, &err) < 0)
		strv_addf(ret, "error %s", err.msg);
	else
		describe(c, &file, ret);
}
