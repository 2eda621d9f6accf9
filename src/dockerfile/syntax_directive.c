/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directives: comments of the form "key=value" before anything else. The escape is read line by
 * line, as the parser goes; syntax and check are looked for in more forms, since a file may be for
 * another frontend altogether, and are only remembered.
 */
#include "dockerfile/syntax_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/lexer.h"
#include "json/value.h"

enum { DIRECTIVE_SYNTAX, DIRECTIVE_ESCAPE, DIRECTIVE_CHECK, N_DIRECTIVES };

static const char *const directive_names[N_DIRECTIVES] = {
	[DIRECTIVE_SYNTAX] = "syntax",
	[DIRECTIVE_ESCAPE] = "escape",
	[DIRECTIVE_CHECK] = "check",
};

static int find_directive(const char *key, size_t len)
{
	for (int i = 0; i < N_DIRECTIVES; i++) {
		if (strlen(directive_names[i]) == len &&
		    strncasecmp(key, directive_names[i], len) == 0)
			return i;
	}
	return -1;
}

/* The directive that LINE is after COMMENT ("#"), with its owned value; -1 for another line. */
static int match_directive(const char *line, const char *comment, char **ret_value)
{
	const char *key = lexer_skip_space(line + strlen(comment));
	const char *p = key;
	cleanup_free char *value = NULL;
	int which = -1;

	if (!str_has_prefix(line, comment) || !isalpha((unsigned char)*key))
		return -1;
	while (isalnum((unsigned char)*p))
		p++;
	which = find_directive(key, (size_t)(p - key));
	p = lexer_skip_space(p);
	if (which < 0 || *p != '=')
		return -1;
	value = lexer_trim(p + 1, strlen(p + 1));
	if (!*value)
		return -1;
	*ret_value = take_ptr(value);
	return which;
}

static int set_escape(struct dockerfile *file, const char *value, struct err *err)
{
	if (strcmp(value, "\\") != 0 && strcmp(value, "`") != 0)
		return err_set(err, ERR_INVALID, "invalid escape token '%s' does not match ` or \\",
			       value);
	file->escape = *value;
	return 0;
}

int directives_read(struct directives *d, const char *line, struct dockerfile *file,
		    struct err *err)
{
	cleanup_free char *value = NULL;
	int which = -1;

	if (d->is_over)
		return 0;
	line = lexer_skip_space(line);
	which = *line == '#' ? match_directive(line, "#", &value) : -1;
	if (which < 0) {
		d->is_over = true;
		return 0;
	}
	if (d->seen & (1u << which))
		return err_set(err, ERR_INVALID, "only one %s parser directive can be used",
			       directive_names[which]);
	d->seen |= 1u << which;
	if (which == DIRECTIVE_ESCAPE && set_escape(file, value, err) < 0)
		return -err->code;
	return 1;
}

/* The owned value of the directive WANTED among those at the top of SOURCE; NULL. */
static char *find_value(const struct strv *source, size_t first, const char *comment, int wanted)
{
	for (size_t i = first; i < source->n; i++) {
		char *value = NULL;
		int which = str_has_prefix(source->items[i], comment)
				    ? match_directive(source->items[i], comment, &value)
				    : -1;

		if (which == wanted)
			return value;
		free(value);
		if (which < 0)
			return NULL;
	}
	return NULL;
}

/* The syntax that a file for another frontend names when all of it is JSON; NULL. */
static char *find_json_syntax(const struct strv *source)
{
	cleanup_free char *text = NULL;
	cleanup_json json_t *object = NULL;
	struct err ignored = ERR_INIT;

	if (!source->n || *lexer_skip_space(source->items[0]) != '{')
		return NULL;
	text = strv_join(source, "\n");
	if (json_parse(text, strlen(text), DOCKERFILE_MAX_SIZE, "", &object, &ignored) < 0)
		return NULL;
	return str_dup(json_get_string(object, "syntax", NULL));
}

void directives_find(struct dockerfile *file)
{
	size_t first = file->source.n && str_has_prefix(file->source.items[0], "#!") ? 1 : 0;

	file->check = find_value(&file->source, first, "#", DIRECTIVE_CHECK);
	file->syntax = find_value(&file->source, first, "#", DIRECTIVE_SYNTAX);
	if (!file->syntax)
		file->syntax = find_value(&file->source, first, "//", DIRECTIVE_SYNTAX);
	if (!file->syntax)
		file->syntax = find_json_syntax(&file->source);
}
