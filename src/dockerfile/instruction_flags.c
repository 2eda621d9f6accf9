/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of instructions: "--name=value" and "--name". */
#include "dockerfile/instruction_private.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/suggest.h"

enum { MAX_FLAGS = 16 };

static int refuse_unknown(const char *name, const struct flag_spec *specs, size_t n,
			  struct err *err)
{
	const char *names[MAX_FLAGS];
	cleanup_free char *hint = NULL;

	for (size_t i = 0; i < n; i++)
		names[i] = specs[i].name;
	hint = suggest_text(name, names, n);
	return err_set(err, ERR_INVALID, "unknown flag: --%s%s", name, hint);
}

/* VALUE is NULL without "=". An empty one is no truth value. */
static int parse_truth(const char *name, const char *value, bool *ret, struct err *err)
{
	if (value && !*value)
		return err_set(err, ERR_INVALID, "missing a value on flag: --%s", name);
	if (!value || strcasecmp(value, "true") == 0)
		*ret = true;
	else if (strcasecmp(value, "false") == 0)
		*ret = false;
	else
		return err_set(err, ERR_INVALID, "expecting boolean value for flag --%s, not: %s",
			       name, value);
	return 0;
}

static int set_flag(const struct flag_spec *spec, const char *value, struct err *err)
{
	bool truth = false;

	if (spec->kind == FLAG_BOOL || spec->kind == FLAG_TRI) {
		if (parse_truth(spec->name, value, &truth, err) < 0)
			return -err->code;
		if (spec->kind == FLAG_BOOL)
			*(bool *)spec->to = truth;
		else
			*(int *)spec->to = truth;
		return 0;
	}
	if (!value)
		return err_set(err, ERR_INVALID, "missing a value on flag: --%s", spec->name);
	if (spec->kind == FLAG_LIST)
		strv_add(spec->to, value);
	else
		str_replace(spec->to, value);
	return 0;
}

static int parse_flag(const char *text, const struct flag_spec *specs, size_t n,
		      bool used[static MAX_FLAGS], struct err *err)
{
	const char *equals = strchr(text, '=');
	cleanup_free char *name = equals ? str_ndup(text, (size_t)(equals - text)) : str_dup(text);
	size_t i = 0;

	while (i < n && strcmp(specs[i].name, name) != 0)
		i++;
	if (i == n)
		return refuse_unknown(name, specs, n, err);
	if (used[i] && specs[i].kind != FLAG_LIST)
		return err_set(err, ERR_INVALID, "duplicate flag specified: --%s", name);
	used[i] = true;
	return set_flag(&specs[i], equals ? equals + 1 : NULL, err);
}

int flags_parse(const struct dockerfile_instruction *syntax, const struct flag_spec *specs,
		size_t n, struct err *err)
{
	bool used[MAX_FLAGS] = {};

	strv_foreach (i, &syntax->flags) {
		const char *flag = syntax->flags.items[i];

		if (strcmp(flag, "--") == 0)
			break;
		if (!str_has_prefix(flag, "--"))
			return err_set(err, ERR_INVALID, "arg should start with -- : %s", flag);
		if (parse_flag(flag + 2, specs, n, used, err) < 0)
			return -err->code;
	}
	return 0;
}
