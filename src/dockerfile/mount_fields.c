/* SPDX-License-Identifier: Apache-2.0 */
/* A quoted field may hold commas, and a quote that is doubled. */
#include "dockerfile/mount_fields.h"

#include <string.h>

static int refuse(const char *text, const char *at, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "parse error on line 1, column %zu: %s",
		       (size_t)(at - text) + 1, what);
}

/* Reads the plain field at *P and the comma after it. */
static int read_plain(const char *text, const char **p, struct strv *ret, struct err *err)
{
	size_t len = strcspn(*p, ",");
	const char *quote = memchr(*p, '"', len);

	if (quote)
		return refuse(text, quote, "bare \" in non-quoted-field", err);
	strv_addf(ret, "%.*s", (int)len, *p);
	*p += len;
	return 0;
}

/* Reads the field at *P, which begins with a quote. */
static int read_quoted(const char *text, const char **p, struct strv *ret, struct err *err)
{
	cleanup_str struct str field = STR_INIT;
	const char *at = *p + 1;

	for (;;) {
		size_t len = strcspn(at, "\"");

		if (!at[len])
			return refuse(text, at, "extraneous or missing \" in quoted-field", err);
		str_add_bytes(&field, at, len);
		at += len + 1;
		if (*at != '"')
			break;
		str_add_char(&field, *at++);
	}
	if (*at && *at != ',')
		return refuse(text, at - 1, "extraneous or missing \" in quoted-field", err);
	strv_add(ret, str_get(&field));
	*p = at;
	return 0;
}

int mount_split_fields(const char *text, struct strv *ret, struct err *err)
{
	const char *p = text;

	if (!*text)
		return err_set(err, ERR_INVALID, "EOF");
	for (;;) {
		int rc = *p == '"' ? read_quoted(text, &p, ret, err)
				   : read_plain(text, &p, ret, err);

		if (rc < 0 || !*p)
			return rc;
		p++;
	}
}
