/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network audit: who can reach what, and why. People get groups (engine/network_groups.h) and then
 * what they should look at; programs get one object with a relation for each pair.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/list_common.h"
#include "cli/quote.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/network_groups.h"
#include "engine/network_survey.h"
#include "json/dump.h"
#include "json/format.h"
#include "json/value.h"

#include <stdio.h>
#include <string.h>

#define NAMES_WIDTH 36 /* of a list of parties in the table; then it says how many more */

static const struct format_field fields[] = {
	{"From", "FROM"},	{"To", "TO"},	{"Ports", "PORTS"}, {"IP", "IP"},
	{"Verdict", "VERDICT"}, {"Why", "WHY"}, {NULL, NULL},
};
static const char *const columns[] = {"From", "To", "Ports", "IP", "Verdict", "Why", NULL};

static const struct format_field finding_fields[] = {
	{"Level", "LEVEL"},
	{"Subject", "SUBJECT"},
	{"Finding", "FINDING"},
	{NULL, NULL},
};
static const char *const finding_columns[] = {"Level", "Subject", "Finding", NULL};

static const struct json_field audit_fields[] = {
	{"Findings", &json_shape_structs, OMIT_NEVER},
	{"Relations", &json_shape_structs, OMIT_NEVER},
	{},
};
static const struct json_shape audit_shape = {
	.kind = SHAPE_STRUCT, .go_name = "network.Audit", .fields = audit_fields};

static const char *const level_names[] = {
	[FINDING_NOTE] = "note",
	[FINDING_WARNING] = "warning",
};

/* ---- what was asked for ---- */

/* Which containers count: all, or those that were named, or are in a network that was. */
struct selection {
	bool is_all;
	bool *containers; /* owned; one for each of the model's */
};

static bool select_network(const struct network_model *model, const char *ref, struct selection *s)
{
	for (size_t i = 0; i < model->n_networks; i++) {
		const struct network *n = &model->networks[i].network;

		if (strcmp(n->name, ref) != 0 && !str_has_prefix(n->id, ref))
			continue;
		for (size_t k = 0; k < model->n_containers; k++)
			s->containers[k] |=
				model_container_is_in(
					model_container_owner(model, &model->containers[k]), i) ||
				(n->driver == NETWORK_HOST &&
				 model->containers[k].place == PLACE_HOST);
		return true;
	}
	return false;
}

static bool select_container(const struct network_model *model, const char *ref,
			     struct selection *s)
{
	for (size_t i = 0; i < model->n_containers; i++) {
		const struct model_container *c = &model->containers[i];

		if (strcmp(c->name, ref) != 0 && !str_has_prefix(c->id, ref))
			continue;
		s->containers[i] = true;
		return true;
	}
	return false;
}

static int select_all(const struct network_model *model, const struct strv *refs,
		      struct selection *s, struct err *err)
{
	s->is_all = refs->n == 0;
	s->containers = mem_zalloc(model->n_containers * sizeof *s->containers);
	strv_foreach (i, refs) {
		const char *ref = refs->items[i];

		if (*ref == '\0' ||
		    (!select_container(model, ref, s) && !select_network(model, ref, s)))
			return err_set(err, ERR_NOT_FOUND,
				       "No such network or running container: %s", ref);
	}
	return 0;
}

static bool is_selected(const struct network_model *model, const struct selection *s,
			const struct model_container *c)
{
	return c && s->containers[c - model->containers];
}

/* Drops what has nothing to do with what was asked for. */
static void keep_selected(const struct network_model *model, const struct selection *s,
			  struct relation_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; !s->is_all && i < list->n; i++) {
		struct relation *r = &list->items[i];

		if (is_selected(model, s, r->from_container) ||
		    is_selected(model, s, r->to_container)) {
			list->items[kept++] = *r;
		} else {
			free(r->ports);
			free(r->why);
		}
	}
	if (!s->is_all)
		list->n = kept;
}

/* ---- for people ---- */

static const char *families_text(unsigned families)
{
	if (families == (RELATION_V4 | RELATION_V6))
		return "4, 6";
	return families == RELATION_V4 ? "4" : "6";
}

/* Owned "a, b, c, 12 more". */
static char *names_text(const struct network_model *model, const uint32_t *parties, size_t n)
{
	struct str out = STR_INIT;

	for (size_t i = 0; i < n; i++) {
		const char *name = relation_group_name(model, parties[i]);

		if (i > 0 && i + 1 < n && out.len + strlen(name) > NAMES_WIDTH) {
			str_addf(&out, ", %zu more", n - i);
			break;
		}
		str_addf(&out, "%s%s", i ? ", " : "", name);
	}
	return str_take(&out);
}

static json_t *make_groups(const struct network_model *model, const struct relation_list *list)
{
	cleanup_relation_groups struct relation_groups groups = {};
	json_t *rows = json_array();

	relation_list_group(model, list, &groups);
	for (size_t i = 0; i < groups.n; i++) {
		const struct relation_group *g = &groups.items[i];
		cleanup_free char *ports = str_printable(g->sample->ports);
		cleanup_free char *why = str_printable(g->sample->why);
		json_t *row = json_object();

		json_set_text_take(row, "From", names_text(model, g->from, g->n_from));
		json_set_text_take(row, "To",
				   g->is_mutual ? str_dup("each other")
						: names_text(model, g->to, g->n_to));
		json_set_text(row, "Ports", ports);
		json_set_text(row, "IP", families_text(g->sample->families));
		json_set_text(row, "Verdict", g->sample->is_allowed ? "yes" : "no");
		json_set_text(row, "Why", why);
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *make_finding_rows(const struct relation_list *list)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < list->n_findings; i++) {
		const struct finding *f = &list->findings[i];
		cleanup_free char *subject = str_printable(f->subject);
		cleanup_free char *text = str_printable(f->text);
		json_t *row = json_object();

		json_set_text(row, "Level", level_names[f->level]);
		json_set_text(row, "Subject", subject);
		json_set_text_take(row, "Finding",
				   f->hint[0] ? str_printf("%s (%s)", text, f->hint)
					      : str_dup(text));
		json_array_append_new(rows, row);
	}
	return rows;
}

static int print_tables(const struct network_model *model, const struct relation_list *list,
			struct err *err)
{
	const struct format_spec spec = {.fields = fields, .columns = columns};
	const struct format_spec findings = {.fields = finding_fields, .columns = finding_columns};
	cleanup_json json_t *rows = make_groups(model, list);
	cleanup_json json_t *finding_rows = make_finding_rows(list);

	if (list_print(&spec, NULL, false, rows, err) < 0)
		return -err->code;
	if (json_array_size(finding_rows) == 0)
		return 0;
	putchar('\n');
	return list_print(&findings, NULL, false, finding_rows, err);
}

/* ---- for programs ---- */

static json_t *make_relation(const struct relation *r)
{
	json_t *o = json_object();

	json_set_text(o, "From", relation_party_name(r->from, r->from_container));
	json_set_text(o, "To", relation_party_name(r->to, r->to_container));
	json_set_text(o, "Ports", r->ports);
	json_object_set_new(o, "IPv4", json_boolean(r->families & RELATION_V4));
	json_object_set_new(o, "IPv6", json_boolean(r->families & RELATION_V6));
	json_object_set_new(o, "Allowed", json_boolean(r->is_allowed));
	json_set_text(o, "Reason", relation_reason_name(r->reason));
	json_set_text(o, "Why", r->why);
	return o;
}

static json_t *make_finding(const struct finding *f)
{
	json_t *o = json_object();

	json_set_text(o, "Level", level_names[f->level]);
	json_set_text(o, "Code", f->code);
	json_set_text(o, "Subject", f->subject);
	json_set_text(o, "Text", f->text);
	json_set_text(o, "Hint", f->hint);
	return o;
}

static json_t *make_object(const struct relation_list *list)
{
	json_t *o = json_object(), *relations = json_array(), *findings = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(relations, make_relation(&list->items[i]));
	for (size_t i = 0; i < list->n_findings; i++)
		json_array_append_new(findings, make_finding(&list->findings[i]));
	json_object_set_new(o, "Relations", relations);
	json_object_set_new(o, "Findings", findings);
	return o;
}

int cmd_network_audit(struct cli *cli, union verb_options *o, struct err *err)
{
	const char *format = o->network_audit.format;
	cleanup_engine struct engine engine = {};
	cleanup_network_model struct network_model model = {};
	cleanup_relation_list struct relation_list list = {};
	struct selection selection = {};
	cleanup_json json_t *object = NULL;
	int rc = 0;

	if (engine_open(&engine, cli->root, cli->runroot, err) < 0 ||
	    engine_survey_networks(&engine, true, &model, err) < 0)
		return -err->code;
	rc = select_all(&model, &cli->args, &selection, err);
	if (rc >= 0) {
		network_model_relate(&model, &list);
		keep_selected(&model, &selection, &list);
	}
	free(selection.containers);
	if (rc < 0)
		return rc;
	if (list_format_is_default(format))
		return print_tables(&model, &list, err);
	object = make_object(&list);
	return object_print(cli, "network audit", format, object, &audit_shape, err);
}
