/* SPDX-License-Identifier: Apache-2.0 */
/* The small shell language of Dockerfile arguments (Dockerfile reference, "Environment
 * replacement"). */
#include "storage/change_words.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "oci/document.h"

/* The length of the word at S. */
static size_t scan_word(const char *s)
{
	char quote = '\0';
	size_t n = 0;

	for (; s[n]; n++) {
		if (s[n] == '\\' && quote != '\'' && s[n + 1])
			n++;
		else if (quote && s[n] == quote)
			quote = '\0';
		else if (!quote && (s[n] == '"' || s[n] == '\''))
			quote = s[n];
		else if (!quote && isspace((unsigned char)s[n]))
			break;
	}
	return n;
}

void words_split(const char *text, struct strv *ret)
{
	for (;;) {
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			return;
		size_t n = scan_word(text);

		strv_add_take(ret, str_ndup(text, n));
		text += n;
	}
}

static size_t scan_name(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* The value of the LEN bytes at NAME, NULL when it is not set. */
static const char *get_env(const struct strv *env, const char *name, size_t len)
{
	strv_foreach (i, env) {
		const char *item = env->items[i];

		if (strncmp(item, name, len) == 0 && item[len] == '=')
			return item + len + 1;
	}
	return NULL;
}

/* "${NAME...}" at S; *RET_LEN is what it takes. */
static int expand_braces(const char *s, const struct strv *env, struct str *ret, size_t *ret_len,
			 struct err *err)
{
	size_t name_len = scan_name(s + 2);
	const char *rest = s + 2 + name_len;
	const char *end = strchr(rest, '}');
	const char *value = get_env(env, s + 2, name_len);
	bool is_set = value && *value;

	if (!end || name_len == 0)
		return err_set(err, ERR_INVALID, "missing '}' or name in substitution");
	*ret_len = (size_t)(end + 1 - s);
	if (rest == end) {
		str_add(ret, value ? value : "");
		return 0;
	}
	cleanup_free char *word = str_ndup(rest + 2,
					   rest + 2 <= end ? (size_t)(end - rest - 2) : 0);

	if (rest[0] != ':' || (rest[1] != '-' && rest[1] != '+'))
		return err_set(err, ERR_INVALID, "unsupported modifier in substitution: %.*s",
			       (int)(end - rest), rest);
	if (rest[1] == '+')
		return is_set ? words_expand(word, env, ret, err) : 0;
	if (!is_set)
		return words_expand(word, env, ret, err);
	str_add(ret, value);
	return 0;
}

static int expand_variable(const char *s, const struct strv *env, struct str *ret, size_t *ret_len,
			   struct err *err)
{
	size_t n = scan_name(s + 1);
	const char *value = NULL;

	if (s[1] == '{')
		return expand_braces(s, env, ret, ret_len, err);
	*ret_len = 1 + n;
	if (n == 0) {
		str_add_char(ret, '$');
		return 0;
	}
	value = get_env(env, s + 1, n);
	str_add(ret, value ? value : "");
	return 0;
}

int words_expand(const char *word, const struct strv *env, struct str *ret, struct err *err)
{
	char quote = '\0';

	for (size_t i = 0; word[i];) {
		char c = word[i];
		size_t taken = 1;

		if (c == '\\' && quote != '\'') {
			/* Within double quotes only these lose their backslash. */
			bool is_escape = word[i + 1] && (!quote || strchr("\"$\\", word[i + 1]));

			str_add_char(ret, is_escape ? word[i + 1] : c);
			taken = is_escape ? 2 : 1;
		} else if (c == '$' && quote != '\'') {
			if (expand_variable(word + i, env, ret, &taken, err) < 0)
				return -err->code;
		} else if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? '\0' : c;
		} else {
			str_add_char(ret, c);
		}
		i += taken;
	}
	if (quote)
		return err_set(err, ERR_INVALID,
			       "unexpected end of statement while looking for "
			       "matching %s-quote",
			       quote == '"' ? "double" : "single");
	return 0;
}

int words_parse_json(const char *text, struct strv *ret, struct err *err)
{
	cleanup_free char *object = str_printf("{\"\":%s}", text);
	cleanup_json json_t *doc = NULL;
	cleanup_strv struct strv items = STRV_INIT;
	struct err why = ERR_INIT;

	if (*text != '[' || document_parse(object, strlen(object), "", &doc, &why) < 0)
		return 0;
	if (document_get_strings(doc, "", &items, &why) < 0)
		return err_set(err, ERR_INVALID,
			       "when using JSON array syntax, arrays must be comprised of strings "
			       "only");
	strv_add_all(ret, &items);
	return 1;
}
