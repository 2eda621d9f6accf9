/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which containers a reboot brings back, and in which order. The rule is the one docker's daemon
 * has when it starts: always, unless-stopped if nobody stopped it, on-failure if it had failed
 * (being cut off is a failure) and its count was not used up.
 */
#include "engine/boot.h"

#include "base/mem.h"
#include "engine/pending.h"
#include "engine/restart.h"
#include "storage/container.h"
#include "json/value.h"

#define MAX_HOST ((size_t)8 << 20)

/* One container, whether it is to be started or not: names of others lead through it. */
struct node {
	char *id, *name;
	struct strv uses; /* as the user wrote them: names, ids, prefixes of ids */
	bool is_wanted;
	bool is_seen;
};

struct boot {
	struct engine *engine;
	struct node *nodes; /* newest first */
	size_t n;
};

static void boot_done(struct boot *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->nodes[i].id);
		free(b->nodes[i].name);
		strv_done(&b->nodes[i].uses);
	}
	free(b->nodes);
}

/* "container:X" of a mode, "X:alias" of a link, "X:ro" of volumes from another. */
static void collect_uses(const char *host_text, struct strv *ret)
{
	static const char *const modes[] = {"NetworkMode", "PidMode", "IpcMode", "UTSMode"};
	static const char *const lists[] = {"Links", "VolumesFrom"};
	cleanup_json json_t *host = NULL;
	struct err ignored = ERR_INIT;

	if (json_parse(host_text, strlen(host_text), MAX_HOST, "host configuration", &host,
		       &ignored) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		const char *mode = json_get_string(host, modes[i], "");

		if (str_has_prefix(mode, "container:"))
			strv_add(ret, mode + strlen("container:"));
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		cleanup_strv struct strv items = STRV_INIT;

		json_get_strv(host, lists[i], &items);
		strv_foreach (k, &items) {
			const char *item = items.items[k];
			size_t slash = *item == '/' ? 1 : 0;
			cleanup_free char *name = str_ndup(item + slash,
							   strcspn(item + slash, ":"));

			strv_add(ret, name);
		}
	}
}

static bool is_wanted(struct boot *b, const struct container_row *row)
{
	struct restart_rule rule = restart_rule_read(row);
	struct container_state state;

	if (rule.policy == RESTART_NO)
		return false;
	container_state_read(b->engine, row->id, &state);
	return state.status == STATUS_EXITED && state.started_ns &&
	       restart_rule_wants_at_boot(&rule, &state.history, state.exit_code, state.marks);
}

static int add_row(const struct container_row *row, void *data, struct err *err)
{
	struct boot *b = data;
	struct node *node = NULL;

	b->nodes = mem_realloc_array(b->nodes, b->n + 1, sizeof(*b->nodes));
	node = &b->nodes[b->n++];
	*node = (struct node){.id = str_dup(row->id), .name = str_dup(row->name)};
	node->is_wanted = is_wanted(b, row);
	collect_uses(row->host, &node->uses);
	return 0;
}

/* As the verbs find a container: by id, by name, by the beginning of an id. */
static struct node *find(struct boot *b, const char *ref)
{
	struct node *by_prefix = NULL;

	for (size_t i = 0; i < b->n; i++) {
		if (strcmp(b->nodes[i].id, ref) == 0 || strcmp(b->nodes[i].name, ref) == 0)
			return &b->nodes[i];
		if (*ref && str_has_prefix(b->nodes[i].id, ref))
			by_prefix = &b->nodes[i];
	}
	return by_prefix;
}

/* NODE after what it uses; each once, so that a circle ends. */
static void visit(struct boot *b, struct node *node, struct strv *ret)
{
	if (!node || node->is_seen)
		return;
	node->is_seen = true;
	strv_foreach (i, &node->uses)
		visit(b, find(b, node->uses.items[i]), ret);
	if (node->is_wanted)
		strv_add(ret, node->id);
}

int engine_list_boot(struct engine *engine, struct strv *ret, struct err *err)
{
	cleanup_with(boot_done) struct boot b = {.engine = engine};
	int rc = 0;

	pending_sweep(engine);
	rc = container_list(engine->store, true, add_row, &b, err);
	for (size_t i = b.n; rc >= 0 && i-- > 0;)
		visit(&b, &b.nodes[i], ret);
	return rc < 0 ? rc : 0;
}
