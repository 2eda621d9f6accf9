/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare.conf: one table of keys, each with the function that reads its value.
 */
#include "engine/settings.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_FILE "/etc/tare/tare.conf"
#define MAX_FILE     ((size_t)64 << 10)

void settings_done(struct settings *settings)
{
	free(settings->pools);
	*settings = (struct settings){};
}

/* ---- values: NULL, or what one looks like ---- */

static const char *read_default_ip(struct settings *s, const char *value)
{
	if (ip_parse(value, &s->default_ip) < 0)
		return "an address";
	/* Everywhere is what is done without it. */
	if (s->default_ip.family == IP_V4 && ip_is_any(&s->default_ip))
		s->default_ip = (struct ip_addr){};
	return NULL;
}

static const char *read_respect(struct settings *s, const char *value)
{
	return num_parse_bool(value, &s->is_firewall_respected) < 0 ? "true or false" : NULL;
}

/* "base=10.200.0.0/16,size=24" */
static bool read_pool(const char *word, struct settings_pool *ret)
{
	const char *size = strstr(word, ",size=");
	cleanup_free char *base = size && str_has_prefix(word, "base=")
					  ? str_ndup(word + 5, (size_t)(size - word) - 5)
					  : NULL;
	uint64_t bits = 0;
	struct ip_addr first;

	if (!base || ip_prefix_parse(base, &ret->base) < 0 || num_parse_u64(size + 6, &bits) < 0)
		return false;
	first = ip_first(&ret->base);
	/* A network needs an address of its own, a gateway's and a container's. */
	if (!ip_is_equal(&first, &ret->base.addr) || bits < ret->base.len ||
	    bits > ip_size(&first) * 8 - 2)
		return false;
	ret->size = (uint8_t)bits;
	return true;
}

static const char *read_pools(struct settings *s, const char *value)
{
	cleanup_strv struct strv words = STRV_INIT;

	s->n_pools = 0;
	strv_split(&words, value, ' ');
	strv_foreach (i, &words) {
		struct settings_pool pool = {};

		if (!words.items[i][0])
			continue;
		if (!read_pool(words.items[i], &pool))
			return "base=SUBNET,size=BITS, or several with blanks between them";
		s->pools = mem_realloc_array(s->pools, s->n_pools + 1, sizeof(*s->pools));
		s->pools[s->n_pools++] = pool;
	}
	return s->n_pools ? NULL : "base=SUBNET,size=BITS";
}

static const struct {
	const char *key;
	const char *(*read)(struct settings *s, const char *value);
} keys[] = {
	{"publish.default-ip", read_default_ip},
	{"publish.respect-firewall", read_respect},
	{"network.pools", read_pools},
};

/* ---- lines ---- */

static int set_unknown(const char *key, const char *name, size_t line, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *list = NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		strv_add(&names, keys[i].key);
	list = strv_join(&names, ", ");
	err_set(err, ERR_INVALID, "%s:%zu: unknown key: %s", name, line, key);
	return err_hint(err, "keys are: %s", list);
}

static int read_line(struct settings *s, char *text, const char *name, size_t line, struct err *err)
{
	char *equals = strchr(text, '=');
	const char *key = NULL;
	const char *value = NULL;

	if (!*text || *text == '#')
		return 0;
	if (!equals)
		return err_set(err, ERR_INVALID, "%s:%zu: not \"key = value\": %s", name, line,
			       text);
	*equals = '\0';
	key = str_trim(text);
	value = str_trim(equals + 1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *want = NULL;

		if (strcmp(keys[i].key, key) != 0)
			continue;
		want = keys[i].read(s, value);
		return want ? err_set(err, ERR_INVALID, "%s:%zu: %s: not %s: %s", name, line, key,
				      want, *value ? value : "\"\"")
			    : 0;
	}
	return set_unknown(key, name, line, err);
}

int settings_parse(const char *text, const char *name, struct settings *ret, struct err *err)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	strv_foreach (i, &lines) {
		int rc = read_line(ret, str_trim(lines.items[i]), name, i + 1, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int settings_load(struct settings *ret, struct err *err)
{
	const char *typed = getenv("TARE_CONFIG");
	const char *name = typed && *typed ? typed : DEFAULT_FILE;
	cleanup_str struct str text = STR_INIT;
	int rc = fd_read_file_at(AT_FDCWD, name, MAX_FILE, &text);

	if (rc == -ENOENT && name != typed)
		return 0;
	if (rc < 0)
		return err_sys(err, -rc, "read %s", name);
	if (strlen(str_get(&text)) != text.len)
		return err_set(err, ERR_INVALID, "%s: not a text file", name);
	return settings_parse(str_get(&text), name, ret, err);
}
