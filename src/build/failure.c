/* SPDX-License-Identifier: Apache-2.0 */
/* What a failed step tells: BuildKit's sentence, the command's last lines, the place in the file.
 */
#include "build/build_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "json/template_lex.h"

#include <stdio.h>

#define MAX_LINE    4096 /* of a line that is kept */
#define MAX_COMMAND 1000 /* of a command in an error, whose end tells the code */

/* ---- the last lines ---- */

static void push_line(struct log_tail *t)
{
	char **slot = &t->lines[t->n++ % LOG_TAIL_LINES];

	free(*slot);
	*slot = str_take(&t->part);
}

/* Each line begins with the seconds since the step began, as the plain progress shows it. */
static void begin_line(struct log_tail *t, uint64_t since_ns)
{
	if (t->part.len == 0)
		str_addf(&t->part, "%.3f ", (double)since_ns / (double)CLOCK_NS_PER_S);
}

void log_tail_add(struct log_tail *t, uint64_t since_ns, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		begin_line(t, since_ns);
		if (bytes[i] == '\n')
			push_line(t);
		else if (bytes[i] != '\r' && bytes[i] != '\0' && t->part.len < MAX_LINE)
			str_add_char(&t->part, bytes[i]);
	}
}

char *log_tail_format(const struct log_tail *t)
{
	cleanup_str struct str text = STR_INIT;
	size_t first = t->n > LOG_TAIL_LINES ? t->n - LOG_TAIL_LINES : 0;

	for (size_t i = first; i < t->n; i++)
		str_addf(&text, "%s\n", t->lines[i % LOG_TAIL_LINES]);
	if (t->part.len)
		str_addf(&text, "%s\n", str_get(&t->part));
	return text.len ? str_take(&text) : NULL;
}

void log_tail_done(struct log_tail *t)
{
	for (size_t i = 0; i < LOG_TAIL_LINES; i++)
		free(t->lines[i]);
	str_done(&t->part);
	*t = (struct log_tail){};
}

/* ---- the sentence ---- */

int failure_of_process(const struct strv *argv, int code, bool is_oom, struct err *err)
{
	cleanup_free char *line = strv_join(argv, " ");
	cleanup_str struct str quoted = STR_INIT;
	size_t len = strlen(line);

	str_add_quoted(&quoted, line, len < MAX_COMMAND ? len : MAX_COMMAND);
	err_set(err, ERR_INVALID, "process %s did not complete successfully: exit code: %d%s",
		str_get(&quoted), code, is_oom ? ": cannot allocate memory" : "");
	return -err->code;
}

void failure_describe(struct build *b, const struct dockerfile_lines *where)
{
	struct build_failure *f = &b->ret->failure;
	const struct node *n = b->nodes && b->failed_node != BUILD_NONE ? &b->nodes[b->failed_node]
									: NULL;
	cleanup_str struct str excerpt = STR_INIT;

	if (n) {
		f->step = str_dup(node_step(n)->name);
		f->log = log_tail_format(&n->tail);
		where = &node_step(n)->lines;
	}
	if (!where || where->first == 0)
		return;
	dockerfile_excerpt(&b->file, *where, &excerpt);
	f->excerpt = str_take(&excerpt);
}
