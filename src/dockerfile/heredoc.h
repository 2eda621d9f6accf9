/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCKERFILE_HEREDOC_H
#define DOCKERFILE_HEREDOC_H
/* Here-documents: where a line asks for them, and their lines. Of this module only. */
#include "dockerfile/syntax.h"

/* Appends what LINE, a whole instruction, asks for, without content yet, to the owned array *ITEMS
 * of *N. A line whose quotes do not match asks for none. */
void heredocs_from_line(const char *line, struct dockerfile_heredoc **items, size_t *n);
/* Whether LINE, without its newline, ends DOC. */
bool heredoc_is_end(const struct dockerfile_heredoc *doc, const char *line);
/* Sets the content of DOC to TEXT. */
void heredoc_set(struct dockerfile_heredoc *doc, const char *text);
void heredoc_done(struct dockerfile_heredoc *doc);

#endif
