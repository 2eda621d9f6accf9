/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_PARSE_H
#define JSON_TEMPLATE_PARSE_H
/* Internal to json: the parser's token window and what its two files share. */
#include "json/template_lex.h"
#include "json/template_node.h"

struct err;

struct parser {
	struct template *t;
	struct lexer lex;
	struct token window[3]; /* window[0] is the newest token */
	unsigned n_back;	/* tokens of the window to be given again */
	bool lex_ended;
	struct strv vars; /* names of the variables in scope, "$" first */
	int action_line;  /* line of the open action, 0 outside */
	unsigned range_depth, nest;
	bool failed; /* err is filled; everything returns at once */
	struct err *err;
};

/* The next token, taken. After an error or the end it is the same one for ever. */
struct token parser_next(struct parser *p);
/* The same after runs of blanks. */
struct token parser_next_non_space(struct parser *p);
/* The next token, not taken. */
struct token parser_peek(struct parser *p);
/* Takes blanks only and shows what follows them. */
struct token parser_peek_non_space(struct parser *p);
/* Gives back the newest token; or first A and then the newest; or A, B, newest. */
void parser_back(struct parser *p);
void parser_back2(struct parser *p, struct token a);
void parser_back3(struct parser *p, struct token a, struct token b);

/* Records a failure with Go's prefix "template: :LINE: "; only the first one counts. */
void parser_fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void parser_fail_unexpected(struct parser *p, struct token t, const char *context);
/* False (and failed) when the template nests too deeply; else the caller leaves by parser_leave. */
bool parser_enter(struct parser *p);
void parser_leave(struct parser *p);

/* A whole pipeline up to and including END, NULL when it failed. */
struct node *parser_pipeline(struct parser *p, const char *context, enum token_type end);
/* Unquoted name of {{template}}, {{define}} or {{block}}; owned, NULL when it failed. */
char *parser_name(struct parser *p, const char *context);

#endif
