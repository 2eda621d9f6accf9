/* SPDX-License-Identifier: Apache-2.0 */
/* Variables as the checks follow them. */
#include "dockerfile/check_private.h"

#include <string.h>

#include "base/mem.h"

static size_t find(const struct check_vars *vars, const char *name)
{
	size_t i = 0;

	while (i < vars->names.n && strcmp(vars->names.items[i], name) != 0)
		i++;
	return i;
}

const char *check_vars_get(const struct check_vars *vars, const char *name)
{
	size_t i = find(vars, name);

	return i < vars->names.n ? vars->values.items[i] : NULL;
}

void check_vars_set(struct check_vars *vars, const char *name, const char *value)
{
	size_t i = find(vars, name);

	if (i < vars->names.n) {
		str_replace(&vars->values.items[i], value);
		return;
	}
	strv_add(&vars->names, name);
	strv_add(&vars->values, value);
}

void check_vars_set_pairs(struct check_vars *vars, const struct strv *pairs)
{
	strv_foreach (i, pairs) {
		const char *pair = pairs->items[i];
		size_t len = strcspn(pair, "=");
		cleanup_free char *name = str_ndup(pair, len);

		check_vars_set(vars, name, pair[len] ? pair + len + 1 : "");
	}
}

void check_vars_copy(struct check_vars *to, const struct check_vars *from)
{
	strv_add_all(&to->names, &from->names);
	strv_add_all(&to->values, &from->values);
}

void check_vars_done(struct check_vars *vars)
{
	strv_done(&vars->names);
	strv_done(&vars->values);
}
