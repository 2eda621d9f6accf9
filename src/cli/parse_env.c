/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Environment and label options and files. Both kinds of file have the same lines; they differ in
 * what a name without a value means.
 */
#include "cli/parse_env.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/rune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define ENV_FILE_MAX (1 << 20)
#define BLANKS	     " \t\n\v\f\r"

int env_option_check(void *field, const char *value, struct err *err)
{
	if (!value[0] || value[0] == '=')
		return err_set(err, ERR_INVALID, "invalid environment variable: %s", value);
	return 0;
}

int label_option_check(void *field, const char *value, struct err *err)
{
	const char *key = value + strspn(value, BLANKS);
	size_t len = strcspn(key, "=");

	if (!len)
		return err_set(err, ERR_INVALID, "invalid label '%s': empty name", value);
	if (strcspn(key, BLANKS) < len)
		return err_set(err, ERR_INVALID, "label '%.*s' contains whitespaces", (int)len,
			       key);
	return 0;
}

void env_add(struct strv *env, const char *value)
{
	const char *host = strchr(value, '=') ? NULL : getenv(value);

	if (host)
		strv_addf(env, "%s=%s", value, host);
	else
		strv_add(env, value);
}

void env_set(struct strv *env, size_t first, const char *value)
{
	size_t len = strcspn(value, "=");

	env_add(env, value);
	for (size_t i = first; i + 1 < env->n; i++) {
		char *old = env->items[i];

		if (strncmp(old, value, len) != 0 || (old[len] != '=' && old[len]))
			continue;
		env->items[i] = env->items[--env->n];
		env->items[env->n] = NULL;
		free(old);
		return;
	}
}

static bool is_utf8(const char *line)
{
	size_t left = strlen(line);

	while (left > 0) {
		uint32_t c = 0;
		size_t n = rune_decode(line, left, &c);

		if (c == RUNE_ERROR && n == 1)
			return false;
		line += n;
		left -= n;
	}
	return true;
}

struct kv_reader {
	const char *path;
	bool from_host; /* a bare name takes the host's value; else, and without one, it is dropped
			 */
	struct strv *out;
};

static int read_line(const struct kv_reader *r, const char *line, struct err *err)
{
	size_t len = strcspn(line, "=");
	const char *host = NULL;

	if (len == 0)
		return err_set(err, ERR_INVALID, "no variable name on line '%s'", line);
	if (strcspn(line, BLANKS) < len)
		return err_set(err, ERR_INVALID, "variable '%.*s' contains whitespaces", (int)len,
			       line);
	if (line[len]) {
		strv_add(r->out, line);
		return 0;
	}
	host = r->from_host ? getenv(line) : NULL;
	if (host)
		strv_addf(r->out, "%s=%s", line, host);
	return 0;
}

static int read_lines(const struct kv_reader *r, char *text, struct err *err)
{
	int rc = 0;

	if (str_has_prefix(text, "\xef\xbb\xbf"))
		text += 3;
	for (size_t number = 1; *text && rc == 0; number++) {
		char *line = text;
		size_t len = strcspn(line, "\n");

		text += len + (line[len] == '\n');
		line[len] = '\0';
		if (len && line[len - 1] == '\r')
			line[len - 1] = '\0';
		if (!is_utf8(line))
			return err_set(err, ERR_INVALID, "invalid utf8 bytes at line %zu", number);
		line += strspn(line, BLANKS);
		if (*line && *line != '#')
			rc = read_line(r, line, err);
	}
	return rc;
}

static int kv_read_file(const struct kv_reader *r, struct err *err)
{
	/* lint: named by the user of the command line, on the host */
	cleanup_close int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	if (fd < 0)
		return err_sys(err, errno, "open %s", r->path);
	rc = fd_read_all(fd, ENV_FILE_MAX, &text);
	if (rc < 0)
		err_sys(err, -rc, "read %s", r->path);
	else if (text.len && strlen(text.buf) != text.len)
		rc = err_set(err, ERR_INVALID, "a NUL byte");
	else if (text.len)
		rc = read_lines(r, text.buf, err);
	if (rc < 0)
		return err_wrap(err, "invalid env file (%s)", r->path);
	return 0;
}

int env_read_file(struct strv *env, const char *path, struct err *err)
{
	return kv_read_file(&(struct kv_reader){.path = path, .from_host = true, .out = env}, err);
}

int label_read_file(struct strv *labels, const char *path, struct err *err)
{
	return kv_read_file(&(struct kv_reader){.path = path, .out = labels}, err);
}
