/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the cache: a digest over everything that decides what a step leaves. The parts are
 * written one after the other, each with its name and its length, so that no two different steps
 * write the same bytes.
 *
 * What a step is named by its parent's key: the digest of a chain of decisions, not of files.
 * Secrets and what is in cache mounts have no part in it; neither have names, lines or comments.
 */
#include "base/mem.h"
#include "base/rand.h"
#include "base/sha256.h"
#include "build/build_private.h"

#include <stdio.h>
#include <string.h>

/* A change of what steps do with the same words makes all older results unusable: count up. */
#define KEY_GENERATION "tare-build-1"
#define HOSTNAME_ARG   "BUILDKIT_SANDBOX_HOSTNAME="

struct key {
	struct sha256 hash;
};

static void add_bytes(struct key *k, const char *name, const char *bytes, size_t len)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %zu:", name, len);

	sha256_update(&k->hash, head, (size_t)n);
	sha256_update(&k->hash, bytes, len);
	sha256_update(&k->hash, "\n", 1);
}

/* NULL and "" are not the same. */
static void add_text(struct key *k, const char *name, const char *text)
{
	if (text)
		add_bytes(k, name, text, strlen(text));
}

static void add_number(struct key *k, const char *name, int64_t number)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%lld", (long long)number);

	add_bytes(k, name, text, (size_t)n);
}

static void add_list(struct key *k, const char *name, const struct strv *list)
{
	add_number(k, name, (int64_t)list->n);
	strv_foreach (i, list)
		add_text(k, name, list->items[i]);
}

static void key_begin(struct key *k, const char *kind)
{
	sha256_init(&k->hash);
	add_text(k, "key", KEY_GENERATION);
	add_text(k, "kind", kind);
}

static void key_end(struct key *k, char ret[static KEY_LEN])
{
	unsigned char digest[SHA256_LEN];

	sha256_final(&k->hash, digest);
	hex_format(digest, sizeof(digest), ret);
}

/* ---- bases ---- */

static void key_of_image(const struct build_step *step, char ret[static KEY_LEN])
{
	const struct strv *chain = &step->base.image.chain_ids;
	struct key k;

	key_begin(&k, chain->n ? "image" : "scratch");
	if (chain->n)
		add_text(&k, "chain", chain->items[chain->n - 1]);
	key_end(&k, ret);
}

/* ---- RUN ---- */

static void add_mount_options(struct key *k, const struct run_mount *m)
{
	add_number(k, "type", m->type);
	add_text(k, "target", m->target);
	add_text(k, "source", m->source);
	add_text(k, "id", m->id);
	add_text(k, "variable", m->env);
	add_number(k, "read-only", m->read_only);
	if (m->type == RUN_MOUNT_TMPFS)
		add_number(k, "size", m->size);
	if (m->has_mode)
		add_number(k, "mode", m->mode);
	if (m->has_uid)
		add_number(k, "uid", m->uid);
	if (m->has_gid)
		add_number(k, "gid", m->gid);
}

/* The digest of what a bind mount shows of a tree of files. */
static int digest_mount(struct build *b, const struct build_mount *m,
			char ret[static DIGEST_HEX_LEN + 1], struct err *err)
{
	char here[] = ".", top[] = "/";
	struct build_copy_item item = {.kind = BUILD_ITEM_PATH,
				       .path = m->mount.source ? m->mount.source : here};
	struct build_copy_op op = {.items = &item,
				   .n_items = 1,
				   .from_step = BUILD_NONE,
				   .from_source = m->from_source,
				   .target = top,
				   .unpack = -1};
	struct build_selection *selection = NULL;
	struct build_tree *tree = NULL;
	int rc = build_ensure_tree(b, m->from_source, &tree, err);

	if (rc == 0)
		rc = build_select(&op, &tree, &selection, err);
	if (rc == 0)
		rc = build_selection_digest(selection, ret, err);
	build_selection_free(selection);
	return rc;
}

static int add_mount(struct build *b, struct key *k, const struct build_mount *m, struct err *err)
{
	char digest[DIGEST_HEX_LEN + 1];

	add_mount_options(k, &m->mount);
	if (m->from_step != BUILD_NONE)
		add_text(k, "from", b->nodes[m->from_step].result);
	if (m->from_source == BUILD_NONE)
		return 0;
	if (digest_mount(b, m, digest, err) < 0)
		return -err->code;
	add_text(k, "from", digest);
	return 0;
}

/* What a command may see of the request. */
static void add_surroundings(struct key *k, const struct build_request *r)
{
	add_list(k, "hosts", &r->extra_hosts);
	add_list(k, "volumes", &r->volumes);
	strv_foreach (i, &r->build_args)
		if (str_has_prefix(r->build_args.items[i], HOSTNAME_ARG))
			add_text(k, "name", r->build_args.items[i]);
}

static int key_of_run(struct build *b, const struct build_step *step, char ret[static KEY_LEN],
		      struct err *err)
{
	const struct build_run_op *op = &step->run;
	struct key k;

	key_begin(&k, "run");
	add_text(&k, "parent", b->nodes[step->parent].result);
	add_text(&k, "platform", step->platform);
	add_list(&k, "argv", &op->argv);
	add_text(&k, "script", op->script);
	add_list(&k, "env", &op->env);
	add_text(&k, "user", op->user);
	add_text(&k, "directory", op->workdir);
	add_text(&k, "network", op->network);
	add_number(&k, "insecure", op->insecure);
	add_list(&k, "devices", &op->devices);
	add_surroundings(&k, b->request);
	for (size_t i = 0; i < op->n_mounts; i++)
		if (add_mount(b, &k, &op->mounts[i], err) < 0)
			return -err->code;
	key_end(&k, ret);
	return 0;
}

/* ---- WORKDIR ---- */

static void key_of_workdir(struct build *b, const struct build_step *step, char ret[static KEY_LEN])
{
	struct key k;

	key_begin(&k, "workdir");
	add_text(&k, "parent", b->nodes[step->parent].result);
	add_text(&k, "path", step->workdir.path);
	add_text(&k, "user", step->workdir.user);
	key_end(&k, ret);
}

int key_of_step(struct build *b, size_t step, char ret[static KEY_LEN], struct err *err)
{
	const struct build_step *s = &b->graph.steps[step];

	if (s->kind == BUILD_STEP_RUN)
		return key_of_run(b, s, ret, err);
	if (s->kind == BUILD_STEP_WORKDIR)
		key_of_workdir(b, s, ret);
	else
		key_of_image(s, ret);
	return 0;
}

/* ---- COPY and ADD ---- */

static void add_item(struct key *k, const struct build_copy_item *item)
{
	add_number(k, "item", item->kind);
	/* The digest has what these come to; a name alone decides nothing. */
	if (item->kind == BUILD_ITEM_INLINE) {
		add_text(k, "name", item->name);
		add_text(k, "content", item->content);
	}
}

static void add_copy(struct build *b, struct key *k, size_t step)
{
	const struct build_step *s = &b->graph.steps[step];
	const struct build_copy_op *op = &s->copy;

	if (!op->link)
		add_text(k, "parent", b->nodes[s->parent].result);
	add_number(k, "add", op->is_add);
	for (size_t i = 0; i < op->n_items; i++)
		add_item(k, &op->items[i]);
	add_text(k, "target", op->target);
	add_text(k, "owner", op->chown);
	add_text(k, "mode", op->chmod);
	add_number(k, "link", op->link);
	add_number(k, "parents", op->parents);
	add_number(k, "unpack", op->unpack);
}

void key_of_copy(struct build *b, size_t step, const char *digest, char ret[static KEY_LEN])
{
	struct key k;

	key_begin(&k, "copy");
	add_copy(b, &k, step);
	add_text(&k, "digest", digest);
	key_end(&k, ret);
}

void key_of_copy_fast(struct build *b, size_t step, char ret[static KEY_LEN])
{
	const struct build_copy_op *op = &b->graph.steps[step].copy;
	struct key k;

	*ret = '\0';
	if (op->from_step == BUILD_NONE)
		return;
	for (size_t i = 0; i < op->n_items; i++)
		if (op->items[i].kind == BUILD_ITEM_REMOTE)
			return;
	key_begin(&k, "copy-fast");
	add_copy(b, &k, step);
	add_text(&k, "from", b->nodes[op->from_step].result);
	for (size_t i = 0; i < op->n_items; i++)
		add_text(&k, "path", op->items[i].path);
	add_list(&k, "excludes", &op->excludes);
	key_end(&k, ret);
}
