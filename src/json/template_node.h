/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_NODE_H
#define JSON_TEMPLATE_NODE_H
/* Internal to json: the tree of a parsed template. */
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/str.h"

enum node_type {
	NODE_TEXT,
	NODE_ACTION,
	NODE_BREAK,
	NODE_CONTINUE,
	NODE_IF,
	NODE_RANGE,
	NODE_WITH,
	NODE_LIST,
	NODE_TEMPLATE,
	NODE_PIPE,
	NODE_COMMAND,
	NODE_FIELD,
	NODE_CHAIN,
	NODE_IDENTIFIER,
	NODE_VARIABLE,
	NODE_DOT,
	NODE_NIL,
	NODE_BOOL,
	NODE_NUMBER,
	NODE_STRING,
	NODE_ELSE, /* only while parsing */
	NODE_END,
};

struct node_vec {
	struct node **items;
	size_t n, cap;
};

/* One node; which members mean something depends on the type. Nodes belong to their template. */
struct node {
	enum node_type type;
	size_t pos; /* offset in the template, for error messages */
	int line;
	char *text;	   /* TEXT, IDENTIFIER; source of NUMBER, BOOL, STRING; TEMPLATE's name */
	size_t text_len;   /* of TEXT */
	json_t *constant;  /* NUMBER, BOOL, STRING */
	struct strv names; /* FIELD, VARIABLE ($name first), CHAIN */
	struct node_vec kids;	/* LIST; PIPE's commands; COMMAND's operands */
	struct node_vec decl;	/* PIPE's variables */
	bool is_assign;		/* PIPE: "=" instead of ":=" */
	struct node *pipe;	/* ACTION IF RANGE WITH TEMPLATE; the operand of CHAIN */
	struct node *list;	/* IF RANGE WITH */
	struct node *else_list; /* IF RANGE WITH; may be NULL */
};

struct template_body {
	char *name;
	struct node *root;
};

struct template
{
	const char *name; /* borrowed; for messages */
	char *text;
	size_t len;
	struct node_vec nodes; /* every node, for release */
	struct template_body *bodies;
	size_t n_bodies;
};

/* New node owned by T. */
struct node *template_add_node(struct template *t, enum node_type type, size_t pos, int line);
void node_vec_add(struct node_vec *v, struct node *n);
/* Body of the template NAME, NULL when it is not defined. */
const struct node *template_lookup(const struct template *t, const char *name);
/* The node as template text, as error messages quote it. */
void node_format(const struct node *n, struct str *out);
/* Whether a list holds nothing but white space. */
bool node_is_blank(const struct node *list);

#endif
