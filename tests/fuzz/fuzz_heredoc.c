/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Here-documents: the input is what follows RUN, COPY and ONBUILD ADD. Each document that comes out
 * has the lines between the instruction and its own end, no more and no fewer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dockerfile/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void check(const struct dockerfile_instruction *i)
{
	size_t n = 0;

	for (size_t k = 0; k < i->n_heredocs; k++) {
		const struct dockerfile_heredoc *doc = &i->heredocs[k];

		if (!*doc->name || count_lines(doc->raw) != count_lines(doc->content))
			abort();
		if (!doc->chomps && strcmp(doc->raw, doc->content) != 0)
			abort();
		n += count_lines(doc->raw) + 1;
	}
	if (n > i->lines.last - i->lines.first)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const begins[] = {"RUN ", "COPY ", "ONBUILD ADD "};

	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
		cleanup_str struct str text = STR_INIT;
		struct err err = ERR_INIT;

		str_add(&text, begins[i]);
		str_add_bytes(&text, data, size);
		dockerfile_parse("Dockerfile", text.buf, text.len, &file, NULL, &err);
		for (size_t k = 0; k < file.n && !err.code; k++)
			check(file.items[k].trigger ? file.items[k].trigger : &file.items[k]);
	}
	return 0;
}
