/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_TEMPLATE_LEX_H
#define JSON_TEMPLATE_LEX_H
/* Internal to json: the tokens of a Go text/template. */
#include <stdbool.h>
#include <stddef.h>

struct str;

enum token_type {
	TOKEN_ERROR, /* text is the message */
	TOKEN_BOOL,
	TOKEN_CHAR, /* a printable character that begins no other token; grammar for the comma */
	TOKEN_CHAR_CONSTANT,
	TOKEN_ASSIGN,
	TOKEN_DECLARE,
	TOKEN_EOF,
	TOKEN_FIELD, /* ".name" */
	TOKEN_IDENTIFIER,
	TOKEN_LEFT_DELIM,
	TOKEN_LEFT_PAREN,
	TOKEN_NUMBER,
	TOKEN_PIPE,
	TOKEN_RAW_STRING,
	TOKEN_RIGHT_DELIM,
	TOKEN_RIGHT_PAREN,
	TOKEN_SPACE,
	TOKEN_STRING,
	TOKEN_TEXT,
	TOKEN_VARIABLE, /* "$name" or "$" */
	TOKEN_KEYWORD,	/* the types from here on are keywords */
	TOKEN_BLOCK,
	TOKEN_BREAK,
	TOKEN_CONTINUE,
	TOKEN_DOT,
	TOKEN_DEFINE,
	TOKEN_ELSE,
	TOKEN_END,
	TOKEN_IF,
	TOKEN_NIL,
	TOKEN_RANGE,
	TOKEN_TEMPLATE,
	TOKEN_WITH,
};

struct token {
	enum token_type type;
	const char *text; /* borrowed from the template or, for an error, from the lexer */
	size_t len;
	size_t pos; /* offset in the template */
	int line;
};

struct lexer {
	const char *input;
	size_t len, pos, start;
	int line, start_line, paren_depth;
	bool in_action;
	char message[160];
};

/* Starts at the first byte of the LEN bytes at INPUT, which must outlive the lexer. */
void lexer_init(struct lexer *l, const char *input, size_t len);
/* The next token. After TOKEN_ERROR and TOKEN_EOF it must not be called again. */
struct token lexer_next(struct lexer *l);
/* How error messages name a token: "<else>", "\"abc\"", EOF. */
void token_format(const struct token *t, struct str *out);
/* Value of a quoted, raw or character literal (quotes included); 0 or -EINVAL. */
int token_unquote(const char *text, size_t len, struct str *out);
/* S quoted as Go's strconv.Quote does. */
void str_add_quoted(struct str *out, const char *s, size_t len);
/* The same with escapes for everything that is not ASCII. */
void str_add_quoted_ascii(struct str *out, const char *s, size_t len);
/* A character as Go's %#U prints it: U+0040 '@'. */
void str_add_code_point(struct str *out, unsigned r, bool with_glyph);

#endif
