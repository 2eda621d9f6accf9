/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts: the main one, and those of --build-context, which stand in for images and stages of
 * their name. A name may say a platform too: "base::linux/arm64".
 */
#include "build/graph_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "oci/reference.h"

static char main_name[] = "context";
static char here[] = ".";
static const char image_scheme[] = "docker-image://";
static const char layout_scheme[] = "oci-layout://";

/* "docker.io/library/alpine:latest" and "alpine" are one. NULL when NAME is no name at all. */
static char *familiar_name(const char *name)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	struct err err = ERR_INIT;
	char *familiar = NULL;

	if (reference_parse(name, &ref, &err) < 0)
		return NULL;
	familiar = reference_format_familiar(&ref);
	if (str_has_suffix(familiar, ":" REFERENCE_DEFAULT_TAG))
		familiar[strlen(familiar) - strlen(":" REFERENCE_DEFAULT_TAG)] = '\0';
	return familiar;
}

/* The reference in WHERE, borrowed; NULL when it is no image. */
static const char *find_reference(const char *where)
{
	if (str_has_prefix(where, image_scheme))
		return where + strlen(image_scheme);
	return str_has_prefix(where, layout_scheme) ? where : NULL;
}

/* TYPED is "name" or "name::platform". */
static int add_context(struct graph_make *m, const char *typed, const char *where, struct err *err)
{
	const char *platform = strstr(typed, "::");
	cleanup_free char *bare = str_ndup(typed,
					   platform ? (size_t)(platform - typed) : strlen(typed));
	cleanup_free char *name = familiar_name(bare);

	if (!name)
		return err_set(err, ERR_INVALID, "invalid context name %s", typed);
	m->contexts = mem_realloc_array(m->contexts, m->n_contexts + 1, sizeof(*m->contexts));
	m->contexts[m->n_contexts] = (struct graph_context){
		.name = str_printf("%s%s", name, platform ? platform : ""),
		.where = str_dup(where),
	};
	m->contexts[m->n_contexts].image = find_reference(m->contexts[m->n_contexts].where);
	m->n_contexts++;
	return 0;
}

int graph_contexts_parse(struct graph_make *m, struct err *err)
{
	strv_foreach (i, &m->request->contexts) {
		const char *item = m->request->contexts.items[i];
		const char *equals = strchr(item, '=');
		cleanup_free char *typed = str_ndup(item, strcspn(item, "="));

		if (!equals || !*typed || !equals[1])
			return err_set(err, ERR_INVALID,
				       "invalid context value: %s, expected key=value", item);
		if (add_context(m, typed, equals + 1, err) < 0)
			return -err->code;
	}
	return 0;
}

void graph_contexts_done(struct graph_make *m)
{
	for (size_t i = 0; i < m->n_contexts; i++) {
		free(m->contexts[i].name);
		free(m->contexts[i].where);
	}
	free(m->contexts);
}

static const struct graph_context *find_named(const struct graph_make *m, const char *name)
{
	/* The last one that was said counts. */
	for (size_t i = m->n_contexts; i > 0; i--)
		if (strcmp(m->contexts[i - 1].name, name) == 0)
			return &m->contexts[i - 1];
	return NULL;
}

const struct graph_context *graph_context_find(const struct graph_make *m, const char *name,
					       const struct platform *platform)
{
	char text[PLATFORM_LEN];
	cleanup_free char *familiar = m->n_contexts ? familiar_name(name) : NULL;
	cleanup_free char *special = NULL;
	const struct graph_context *found = NULL;

	if (!familiar || strcasecmp(name, "scratch") == 0 || strcasecmp(name, main_name) == 0)
		return NULL;
	special = str_printf("%s::%s", familiar, platform_format(platform, text));
	found = find_named(m, special);
	return found ? found : find_named(m, familiar);
}

/* "user@host:path", which only git understands. */
static bool is_scp_address(const char *text)
{
	size_t user = 0;
	size_t host = 0;

	while (isalnum((unsigned char)text[user]) || (text[user] && strchr("-_.", text[user])))
		user++;
	if (!user || text[user] != '@')
		return false;
	text += user + 1;
	while (isalnum((unsigned char)text[host]) || (text[host] && strchr("-.", text[host])))
		host++;
	return host && text[host] == ':';
}

enum build_source_kind graph_source_kind(const char *text)
{
	size_t len = strcspn(text, "#?");

	if (str_has_prefix(text, "git://") || str_has_prefix(text, "ssh://") ||
	    is_scp_address(text))
		return BUILD_SOURCE_GIT;
	if (!str_has_prefix(text, "http://") && !str_has_prefix(text, "https://"))
		return BUILD_SOURCE_LOCAL;
	return len > 4 && strncmp(text + len - 4, ".git", 4) == 0 ? BUILD_SOURCE_GIT
								  : BUILD_SOURCE_HTTP;
}

/* The same for a context, where "github.com/user/repository" counts too. */
static enum build_source_kind context_kind(const char *text)
{
	return str_has_prefix(text, "github.com/") ? BUILD_SOURCE_GIT : graph_source_kind(text);
}

static bool is_same_source(const struct build_source *a, const struct build_source *b)
{
	return a->kind == b->kind && strcmp(a->where, b->where) == 0 &&
	       str_is_equal(a->checksum, b->checksum) && a->keep_git_dir == b->keep_git_dir;
}

size_t graph_add_source(struct graph_make *m, const struct build_source *source)
{
	struct build_graph *g = m->graph;

	for (size_t i = 0; i < g->n_sources; i++)
		if (is_same_source(&g->sources[i], source) &&
		    str_is_equal(g->sources[i].name, source->name))
			return i;
	g->sources = mem_realloc_array(g->sources, g->n_sources + 1, sizeof(*g->sources));
	g->sources[g->n_sources] = (struct build_source){
		.kind = source->kind,
		.where = str_dup(source->where),
		.name = str_dup(source->name),
		.checksum = str_dup(source->checksum),
		.keep_git_dir = source->keep_git_dir,
	};
	return g->n_sources++;
}

/* What the request's context is, where nobody has opened it yet. */
static struct build_source guess_main(const struct build_request *r)
{
	char *where = r->context ? r->context : here;

	return (struct build_source){
		.kind = strcmp(where, "-") == 0 ? BUILD_SOURCE_STREAM : context_kind(where),
		.where = where,
		.name = main_name,
	};
}

void graph_add_main_context(struct graph_make *m)
{
	struct build_source guess = guess_main(m->request);

	if (!m->resolver->lacks_context)
		graph_add_source(m, m->resolver->context ? m->resolver->context : &guess);
}

struct graph_place graph_main_context(struct graph_make *m)
{
	struct graph_place place = GRAPH_NOWHERE;

	if (m->resolver->lacks_context)
		place.step = graph_add_scratch(m, &m->build);
	else
		place.source = 0;
	return place;
}

int graph_find_place(struct graph_make *m, const char *name, const struct platform *platform,
		     struct graph_place *ret, struct err *err)
{
	const struct graph_context *context = graph_context_find(m, name, platform);
	const char *ref = context ? context->image : name;
	const struct graph_image *image = NULL;

	*ret = GRAPH_NOWHERE;
	if (context && !ref) {
		struct build_source source = {.kind = context_kind(context->where),
					      .where = context->where,
					      .name = context->name};

		ret->source = graph_add_source(m, &source);
		return 0;
	}
	if (strcmp(ref, "scratch") == 0) {
		ret->step = graph_add_scratch(m, platform);
		return 0;
	}
	image = graph_find_image(m, ref, platform, err);
	if (!image)
		return -err->code;
	ret->step = graph_add_image(m, image, name,
				    context ? str_printf("[context %s] %s", name, ref)
					    : str_printf("FROM %s", image->name));
	return 0;
}
