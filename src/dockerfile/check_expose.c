/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that say more than a port and a protocol; names that look like secrets. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dockerfile/check_stage.h"
#include "dockerfile/expand.h"

static const char *get_var(void *ctx, const char *name)
{
	return check_vars_get(ctx, name);
}

/* The protocol of PORT, "" when it has none. */
static const char *find_protocol(const char *port)
{
	const char *colon = strrchr(port, ':');
	const char *slash = strchr(colon ? colon : port, '/');

	return slash ? slash + 1 : "";
}

static void check_port(struct check *c, const struct instruction *i, const char *port)
{
	const char *p = find_protocol(port);

	while (*p && !isupper((unsigned char)*p))
		p++;
	if (*p)
		dockerfile_report(c, RULE_EXPOSE_PROTO_CASING, i->syntax,
				  "Defined protocol '%s' in EXPOSE instruction should be lowercase",
				  port);
	if (strchr(port, ':') && *port != ':')
		dockerfile_report(c, RULE_EXPOSE_INVALID_FORMAT, i->syntax,
				  "EXPOSE instruction should not define an IP address or host-port "
				  "mapping, found '%s'",
				  port);
}

void check_expose(struct check *c, struct stage_state *s, const struct instruction *i)
{
	const struct expand_scope scope = {
		.get = get_var,
		.ctx = &s->vars,
		.escape = c->in->file->escape,
	};

	strv_foreach (k, &i->list.words) {
		cleanup_strv struct strv ports = STRV_INIT;
		struct err ignored = ERR_INIT;

		/* A word that does not expand ends the build with its own words. */
		if (expand_words(i->list.words.items[k], &scope, &ports, &ignored) < 0)
			continue;
		strv_foreach (n, &ports)
			check_port(c, i, ports.items[n]);
	}
}

/* ---- secrets ---- */

static bool is_one_of(const char *word, size_t len, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len && strncasecmp(words[i], word, len) == 0)
			return true;
	return false;
}

/* Whether a part of NAME between underscores is one of WORDS. */
static bool has_part(const char *name, const char *const *words, size_t n)
{
	for (;;) {
		size_t len = strcspn(name, "_");

		if (is_one_of(name, len, words, n))
			return true;
		if (!name[len])
			return false;
		name += len + 1;
	}
}

void check_secret(struct check *c, const struct instruction *i, const char *name)
{
	static const char *const secret[] = {"apikey", "auth",	   "credential", "credentials",
					     "key",    "password", "pword",	 "passwd",
					     "secret", "token"};
	static const char *const harmless[] = {"public", "file", "version"};

	if (has_part(name, secret, ARRAY_LEN(secret)) &&
	    !has_part(name, harmless, ARRAY_LEN(harmless)))
		dockerfile_report(
			c, RULE_SECRETS_USED_IN_ARG_OR_ENV, i->syntax,
			"Do not use ARG or ENV instructions for sensitive data (%s \"%s\")",
			dockerfile_keyword_name(i->keyword), name);
}
