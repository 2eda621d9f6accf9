/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expansion of words: the first byte chooses the rules, the rest of the first line is the value of
 * $a, what follows is the text. The result is bounded, and without quotes, escapes and variables it
 * is the text itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dockerfile/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get_value(void *ctx, const char *name)
{
	return name[0] == 'a' ? ctx : name[0] == 'e' ? "" : NULL;
}

static void check_words(const char *text, const struct expand_scope *scope)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct err err = ERR_INIT;

	if (expand_words(text, scope, &words, &err) < 0)
		abort();
	strv_foreach (i, &words) {
		if (!words.items[i][0])
			abort();
	}
}

static void check(const char *text, const struct expand_scope *scope)
{
	cleanup_free char *word = NULL;
	struct err err = ERR_INIT;
	bool is_plain = !strpbrk(text, "$'\"\\`");

	if (expand_word(text, scope, &word, &err) < 0) {
		if (err.code != ERR_INVALID || is_plain)
			abort();
		return;
	}
	if (strlen(word) > EXPAND_MAX + 2 * strlen(text) || (is_plain && strcmp(word, text) != 0))
		abort();
	check_words(text, scope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *value = size ? str_ndup((const char *)data + 1, size - 1) : str_dup("");
	char *text = strchr(value, '\n');
	unsigned rules = size ? data[0] : 0;
	struct expand_scope scope = {
		.get = get_value,
		.ctx = value,
		.escape = rules & 1 ? '`' : '\\',
		.keeps_quotes = rules & 2,
		.keeps_escapes = rules & 4,
		.keeps_unset = rules & 8,
		.ignores_quotes = rules & 16,
	};

	if (!text)
		return 0;
	*text++ = '\0';
	check(text, &scope);
	return 0;
}
