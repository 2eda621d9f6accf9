/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: physical lines become logical ones, and those instructions. All of it is one pass over
 * the lines; what a line costs is in proportion to its length.
 */
#include "dockerfile/syntax.h"

#include <string.h>

#include "base/mem.h"
#include "dockerfile/array.h"
#include "dockerfile/heredoc.h"
#include "dockerfile/lexer.h"
#include "dockerfile/syntax_private.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

struct parser {
	struct dockerfile *file;
	bool numbers_lines; /* in the message about an unknown keyword */
	size_t n_lines;	    /* of file->source, without the empty one behind the last newline */
	size_t next;	    /* the line to read next, from 0 */
	struct directives directives;
	struct str doc;	      /* comment lines so far, joined */
	char *unknown;	      /* the first keyword that is none; owned */
	unsigned unknown_at;  /* its line */
	unsigned unknown_end; /* the last line of what it begins */
	struct dockerfile_lines where;
};

static void parser_done(struct parser *p)
{
	str_done(&p->doc);
	free(p->unknown);
}
#define cleanup_parser __attribute__((cleanup(parser_done)))

static int split_source(const char *text, size_t len, struct dockerfile *file,
			struct dockerfile_lines *where, struct err *err)
{
	const char *nul = memchr(text, '\0', len);
	cleanup_free char *copy = NULL;
	unsigned line = 1;

	if (len >= strlen(BYTE_ORDER_MARK) && memcmp(text, BYTE_ORDER_MARK, 3) == 0) {
		text += 3;
		len -= 3;
	}
	copy = str_ndup(text, len);
	strv_split(&file->source, copy, '\n');
	if (!nul)
		return 0;
	for (const char *c = text; c < nul; c++)
		line += *c == '\n';
	*where = (struct dockerfile_lines){line, line};
	err_set(err, ERR_INVALID, "dockerfile parse error on line %u: it holds a NUL byte", line);
	return err_hint(err, "a Dockerfile is UTF-8 text");
}

/* The next physical line without "\r"; *RET is owned. Returns 0 at the end. */
static int read_line(struct parser *p, char **ret, struct err *err)
{
	const char *line = NULL;
	size_t len = 0;

	if (p->next == p->n_lines)
		return 0;
	line = p->file->source.items[p->next++];
	len = strlen(line);
	if (len > DOCKERFILE_MAX_LINE) {
		p->where.first = p->where.last = (unsigned)p->next;
		return err_set(err, ERR_INVALID,
			       "dockerfile line greater than max allowed size of %d",
			       DOCKERFILE_MAX_LINE);
	}
	while (len && line[len - 1] == '\r')
		len--;
	*ret = str_ndup(line, len);
	return 1;
}

/* Comment and blank lines, and directives. Returns 1 when LINE is none of them. */
static int read_outside(struct parser *p, const char *line, struct err *err)
{
	int rc = directives_read(&p->directives, line, p->file, err);

	line = lexer_skip_space(line);
	if (rc < 0)
		return rc;
	if (*line && *line != '#')
		return 1;
	if (rc == 0 && *line == '#' && *lexer_skip_space(line + 1)) {
		cleanup_free char *text = lexer_trim(line + 1, strlen(line + 1));

		str_addf(&p->doc, "%s%s", p->doc.len ? "\n" : "", text);
	} else if (rc == 0) {
		str_truncate(&p->doc, 0);
	}
	return 0;
}

static void add_empty_continuation(struct dockerfile *file, unsigned line)
{
	size_t n = file->n_empty_continuations++;

	file->empty_continuations = array_grow(file->empty_continuations, n,
					       sizeof(*file->empty_continuations));
	file->empty_continuations[n] = (struct dockerfile_lines){line, line};
}

/* Appends what LINE, continued or not, adds to the logical line. Returns whether there is more. */
static bool join_line(const struct parser *p, const char *line, struct str *out)
{
	size_t len = 0;

	if (!lexer_is_continued(line, p->file->escape, &len)) {
		str_add(out, line);
		return false;
	}
	str_add_bytes(out, line, len);
	return true;
}

/* The logical line that FIRST begins. */
static int join_lines(struct parser *p, const char *first, struct str *ret, struct err *err)
{
	bool has_empty = false;
	bool has_more = join_line(p, lexer_skip_space(first), ret);

	while (has_more) {
		cleanup_free char *line = NULL;
		int rc = read_line(p, &line, err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			break;

		char first_char = *lexer_skip_space(line);

		if (!first_char)
			has_empty = true;
		else if (first_char != '#')
			has_more = join_line(p, line, ret);
	}
	if (has_empty)
		add_empty_continuation(p->file, (unsigned)p->next);
	return 0;
}

/* The lines up to the one that ends DOC. */
static int read_heredoc(struct parser *p, struct dockerfile_heredoc *doc, struct err *err)
{
	cleanup_str struct str text = STR_INIT;

	for (;;) {
		cleanup_free char *line = NULL;
		int rc = read_line(p, &line, err);

		if (rc < 0)
			return rc;
		if (rc == 0)
			return err_set(err, ERR_INVALID, "unterminated heredoc");
		if (heredoc_is_end(doc, line))
			break;
		str_add(&text, p->file->source.items[p->next - 1]);
		str_add_char(&text, '\n');
	}
	heredoc_set(doc, str_get(&text));
	return 0;
}

static int read_heredocs(struct parser *p, const char *line, struct dockerfile_instruction *i,
			 struct err *err)
{
	struct dockerfile_instruction *to = instruction_with_heredocs(i);

	if (!to)
		return 0;
	heredocs_from_line(line, &to->heredocs, &to->n_heredocs);
	for (size_t k = 0; k < to->n_heredocs; k++) {
		if (read_heredoc(p, &to->heredocs[k], err) < 0)
			return -err->code;
	}
	return 0;
}

static void remember_unknown(struct parser *p, struct dockerfile_instruction *i)
{
	if (!p->unknown) {
		p->unknown = str_dup(i->trigger ? i->trigger->word : i->word);
		p->unknown_at = p->where.first;
		p->unknown_end = (unsigned)p->next;
	}
	dockerfile_instruction_done(i);
}

static struct dockerfile_instruction *add_item(struct dockerfile *file)
{
	file->items = array_grow(file->items, file->n, sizeof(*file->items));
	file->items[file->n] = (struct dockerfile_instruction){};
	return &file->items[file->n++];
}

static void set_lines(struct dockerfile_instruction *i, struct dockerfile_lines lines)
{
	i->lines = lines;
	if (i->trigger)
		i->trigger->lines = lines;
}

/* The instruction that FIRST begins; in *P the lines that an error is about. */
static int read_instruction(struct parser *p, const char *first, struct err *err)
{
	cleanup_str struct str line = STR_INIT;
	struct dockerfile_instruction *i = NULL;
	bool is_unknown = false;

	p->where.first = (unsigned)p->next;
	if (join_lines(p, first, &line, err) < 0)
		return -err->code;
	i = add_item(p->file);
	if (p->doc.len)
		i->doc = str_take(&p->doc);
	p->where.last = (unsigned)p->next;
	if (instruction_split(str_get(&line), p->file->escape, i, &is_unknown, err) < 0)
		return -err->code;
	if (is_unknown) {
		remember_unknown(p, i);
		p->file->n--;
		return 0;
	}
	if (read_heredocs(p, str_get(&line), i, err) < 0) {
		p->where.last = (unsigned)p->next;
		return -err->code;
	}
	p->where.last = (unsigned)p->next;
	set_lines(i, p->where);
	return 0;
}

static int read_all(struct parser *p, struct err *err)
{
	for (;;) {
		cleanup_free char *line = NULL;
		int rc = read_line(p, &line, err);

		if (rc <= 0)
			return rc;
		p->where.first = p->where.last = (unsigned)p->next;
		rc = read_outside(p, line, err);
		if (rc > 0)
			rc = read_instruction(p, line, err);
		if (rc < 0)
			return rc;
	}
}

/* A file that names another frontend may well be in that one's language. */
static void hint_frontend(const struct dockerfile *file, struct err *err)
{
	if (file->syntax)
		err_hint(err, "the file asks for the frontend %s; frontends are not run",
			 file->syntax);
}

static int report_unknown(struct parser *p, struct err *err)
{
	p->where = (struct dockerfile_lines){p->unknown_at, p->unknown_end};
	instruction_set_unknown(p->unknown, err);
	hint_frontend(p->file, err);
	if (p->numbers_lines)
		err_wrap(err, "dockerfile parse error on line %u", p->unknown_at);
	return -err->code;
}

/* What is wrong when no line alone is. */
static int check_result(struct parser *p, struct err *err)
{
	if (p->unknown)
		return report_unknown(p, err);
	if (!p->file->n)
		return err_set(err, ERR_INVALID, "file with no instructions");
	return 0;
}

/* Without an escape set in FILE there is the usual one. */
static int parse_text(struct parser *p, const char *text, size_t len, struct err *err)
{
	struct dockerfile *file = p->file;

	if (!file->escape)
		file->escape = '\\';
	if (!len)
		return err_set(err, ERR_INVALID, "the Dockerfile cannot be empty");
	if (len > DOCKERFILE_MAX_SIZE)
		return err_set(err, ERR_INVALID, "the Dockerfile is larger than %d bytes",
			       DOCKERFILE_MAX_SIZE);
	if (split_source(text, len, file, &p->where, err) < 0)
		return -err->code;
	p->n_lines = file->source.n;
	if (p->n_lines && !*file->source.items[p->n_lines - 1])
		p->n_lines--;
	directives_find(file);
	if (read_all(p, err) < 0)
		return -err->code;
	return check_result(p, err);
}

int dockerfile_parse(const char *name, const char *text, size_t len, struct dockerfile *ret,
		     struct dockerfile_lines *ret_where, struct err *err)
{
	cleanup_parser struct parser p = {.file = ret, .numbers_lines = true};
	int rc = 0;

	ret->name = str_dup(name);
	rc = parse_text(&p, text, len, err);
	if (rc < 0 && ret_where)
		*ret_where = p.where;
	return rc;
}

int dockerfile_parse_line(const char *text, char escape, struct dockerfile_instruction *ret,
			  struct err *err)
{
	cleanup_dockerfile struct dockerfile file = {.escape = escape};
	cleanup_parser struct parser p = {.file = &file};

	if (parse_text(&p, text, strlen(text), err) < 0)
		return -err->code;
	if (file.n != 1)
		return err_set(err, ERR_INVALID, "%zu instructions where there should be one",
			       file.n);
	*ret = file.items[0];
	file.n = 0;
	return 0;
}

void dockerfile_done(struct dockerfile *file)
{
	for (size_t i = 0; i < file->n; i++)
		dockerfile_instruction_done(&file->items[i]);
	free(file->items);
	free(file->empty_continuations);
	free(file->name);
	free(file->syntax);
	free(file->check);
	strv_done(&file->source);
	*file = (struct dockerfile)DOCKERFILE_INIT;
}
