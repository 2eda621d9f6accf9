/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gets past this is handed to git as arguments: nothing in it begins with a dash, and a ref
 * has the characters that git allows in one, so that it can be neither an option nor a refspec.
 */
#include "build/git_url.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* ---- parts ---- */

/* The length of "scheme://" with one of the schemes; 0. */
static size_t scheme_len(const char *text, const char *const *schemes)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]))
		n++;
	if (strncmp(text + n, "://", 3) != 0)
		return 0;
	for (; *schemes; schemes++)
		if (strlen(*schemes) == n && strncasecmp(text, *schemes, n) == 0)
			return n + 3;
	return 0;
}

bool url_is_http(const char *text)
{
	static const char *const schemes[] = {"http", "https", NULL};

	return scheme_len(text, schemes) > 0;
}

/* "user@host:path", as scp(1) has it. */
static bool is_scp_like(const char *text)
{
	size_t user = 0;
	size_t host = 0;

	while (isalnum((unsigned char)text[user]) || (text[user] && strchr("_-", text[user])))
		user++;
	if (user == 0 || *text == '-' || text[user] != '@')
		return false;
	text += user + 1;
	while (isalnum((unsigned char)text[host]) || (text[host] && strchr(".-", text[host])))
		host++;
	return host > 0 && *text != '-' && text[host] == ':' && text[host + 1];
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Owned: S with its %XX decoded. */
static char *decode(const char *s, size_t len)
{
	cleanup_str struct str out = STR_INIT;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%' && i + 2 < len && hex_value(s[i + 1]) >= 0 &&
		    hex_value(s[i + 2]) >= 0) {
			str_add_char(&out, (char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2])));
			i += 2;
		} else {
			str_add_char(&out, s[i]);
		}
	}
	return str_take(&out);
}

char *url_file_name(const char *text)
{
	const char *path = strstr(text, "://");
	size_t len = 0;
	size_t start = 0;
	cleanup_free char *name = NULL;

	path = path ? path + 3 : text;
	path += strcspn(path, "/?#");
	len = strcspn(path, "?#");
	while (len > 0 && path[len - 1] == '/')
		len--;
	start = len;
	while (start > 0 && path[start - 1] != '/')
		start--;
	name = decode(path + start, len - start);
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/') ||
	    strlen(name) > 255)
		return str_dup("__unnamed__");
	return take_ptr(name);
}

/* ---- queries ---- */

static int parse_bool(const char *value, bool *ret)
{
	static const char *const words[2][5] = {{"0", "f", "F", "false", "False"},
						{"1", "t", "T", "true", "True"}};

	/* "submodules" alone means that it is so. */
	*ret = true;
	if (!*value)
		return 0;
	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < ARRAY_LEN(words[i]); j++)
			if (strcmp(value, words[i][j]) == 0) {
				*ret = i == 1;
				return 0;
			}
	return -ERR_INVALID;
}

static int set_text(char **to, const char *key, const char *prefix, const char *value,
		    struct err *err)
{
	cleanup_free char *text = str_printf("%s%s", prefix, value);

	if (*to && strcmp(*to, text) != 0)
		return err_set(err, ERR_INVALID, "%s conflicts: \"%s\" and \"%s\"", key, *to, text);
	str_replace(to, text);
	return 0;
}

static int set_ref(struct git_url *url, const char *prefix, const char *value, struct err *err)
{
	return set_text(&url->ref, "ref", prefix, value, err);
}

static int set_flag(struct git_url *url, const char *key, const char *value, struct err *err)
{
	bool flag = false;

	if (parse_bool(value, &flag) < 0)
		return err_set(err, ERR_INVALID, "invalid %s value: \"%s\"", key, value);
	if (strcmp(key, "submodules") == 0)
		url->no_submodules = !flag;
	else if (strcmp(key, "keep-git-dir") == 0)
		url->keep_git_dir = flag;
	/* fetch-by-commit: we ask for the commit first in any case. */
	return 0;
}

static int set_option(struct git_url *url, const char *key, const char *value, struct err *err)
{
	static const char *const flags[] = {"submodules", "keep-git-dir", "fetch-by-commit"};

	if (strcmp(key, "ref") == 0)
		return set_ref(url, "", value, err);
	if (strcmp(key, "branch") == 0)
		return set_ref(url, "refs/heads/", value, err);
	if (strcmp(key, "tag") == 0)
		return set_ref(url, "refs/tags/", value, err);
	if (strcmp(key, "subdir") == 0)
		return set_text(&url->subdir, key, "", value, err);
	if (strcmp(key, "checksum") == 0 || strcmp(key, "commit") == 0)
		return set_text(&url->checksum, "checksum", "", value, err);
	if (strcmp(key, "mtime") == 0) {
		url->commit_times = strcmp(value, "commit") == 0;
		if (!url->commit_times && strcmp(value, "checkout") != 0)
			return err_set(err, ERR_INVALID, "invalid mtime value: \"%s\"", value);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(key, flags[i]) == 0)
			return set_flag(url, key, value, err);
	return err_set(err, ERR_INVALID, "unexpected query \"%s\"", key);
}

static int parse_query(struct git_url *url, const char *query, size_t len, struct err *err)
{
	const char *end = query + len;

	while (query < end) {
		size_t n = strcspn(query, "&#");
		size_t key_len = strcspn(query, "=&#");
		cleanup_free char *key = decode(query, key_len);
		cleanup_free char *value = key_len < n
						   ? decode(query + key_len + 1, n - key_len - 1)
						   : str_dup("");

		if (n > 0 && set_option(url, key, value, err) < 0)
			return -err->code;
		query += n + 1;
	}
	return 0;
}

/* "ref:subdir", each of which may be missing. */
static int parse_fragment(struct git_url *url, const char *fragment, struct err *err)
{
	size_t n = strcspn(fragment, ":");
	cleanup_free char *ref = str_ndup(fragment, n);

	if (n > 0 && set_ref(url, "", ref, err) < 0)
		return -err->code;
	if (fragment[n] && fragment[n + 1])
		return set_text(&url->subdir, "subdir", "", fragment + n + 1, err);
	return 0;
}

/* ---- what git may see ---- */

/* git-check-ref-format(1), and nothing that is an option. */
static bool is_ref(const char *ref)
{
	if (*ref == '-' || *ref == '/' || str_has_suffix(ref, "/") || str_has_suffix(ref, ".") ||
	    strstr(ref, "..") || strstr(ref, "@{") || strstr(ref, "//") || strcmp(ref, "@") == 0)
		return false;
	for (; *ref; ref++)
		if ((unsigned char)*ref <= ' ' || *ref == 0x7f || strchr("~^:?*[\\", *ref))
			return false;
	return true;
}

static bool is_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n >= 4 && n <= 64 && !s[n];
}

/* The host that ssh or git would be called with must not look like an option (CVE-2017-1000117). */
static bool is_remote(const char *remote)
{
	const char *host = strstr(remote, "://");
	const char *at = NULL;

	for (const char *s = remote; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	host = host ? host + 3 : remote;
	if (*host == '-' || *host == '\0' || *host == '/')
		return false;
	at = memrchr(host, '@', strcspn(host, "/"));
	return !at || (at[1] && at[1] != '-');
}

static int check(const struct git_url *url, struct err *err)
{
	if (!is_remote(url->remote))
		return err_set(err, ERR_INVALID, "invalid git repository \"%s\"", url->remote);
	if (url->ref && !is_ref(url->ref))
		return err_set(err, ERR_INVALID, "invalid git ref \"%s\"", url->ref);
	if (url->checksum && !is_hex(url->checksum))
		return err_set(err, ERR_INVALID,
			       "invalid checksum %s for git source, expected hex "
			       "commit hash",
			       url->checksum);
	return 0;
}

/* Whether the URL before query and fragment, LEN bytes of TEXT, is one of git. */
static bool is_git(const char *text, size_t len)
{
	static const char *const own[] = {"git", "ssh", NULL};

	if (scheme_len(text, own))
		return true;
	if (url_is_http(text))
		return len > 4 && strncmp(text + len - 4, ".git", 4) == 0;
	return str_has_prefix(text, "github.com/") || is_scp_like(text);
}

/* The login goes another way than the address: git hands that to its programs as an argument, and
 * writes it into the configuration of each module. */
static int take_login(struct git_url *url, struct err *err)
{
	size_t start = url_is_http(url->remote) ? strcspn(url->remote, "/") + 2 : 0;
	const char *login = url->remote + start;
	const char *at = start ? memrchr(login, '@', strcspn(login, "/")) : NULL;
	size_t user_len = 0;

	if (!at)
		return 0;
	user_len = strcspn(login, ":@");
	url->user = decode(login, user_len);
	url->password = login[user_len] == ':' && login + user_len < at
				? decode(login + user_len + 1, (size_t)(at - login) - user_len - 1)
				: str_dup("");
	memmove(url->remote + start, at + 1, strlen(at + 1) + 1);
	for (const char *s = url->user; *s; s++)
		if ((unsigned char)*s < ' ')
			return err_set(err, ERR_INVALID, "invalid user of a git repository");
	for (const char *s = url->password; *s; s++)
		if ((unsigned char)*s < ' ')
			return err_set(err, ERR_INVALID, "invalid password of a git repository");
	return 0;
}

char *git_url_origin(const struct git_url *url)
{
	size_t start = strcspn(url->remote, "/") + 2;

	return str_ndup(url->remote, start + strcspn(url->remote + start, "/"));
}

static int fill(struct git_url *url, const char *text, size_t len, struct err *err)
{
	size_t query_len = text[len] == '?' ? strcspn(text + len, "#") : 0;
	const char *fragment = text + len + query_len;

	url->remote = str_printf("%s%.*s", str_has_prefix(text, "github.com/") ? "https://" : "",
				 (int)len, text);
	url->is_ssh = strncasecmp(text, "ssh://", 6) == 0 || is_scp_like(text);
	url->keep_git_dir = -1;
	if (take_login(url, err) < 0)
		return -err->code;
	if (query_len > 1 && parse_query(url, text + len + 1, query_len - 1, err) < 0)
		return -err->code;
	if (*fragment == '#' && parse_fragment(url, fragment + 1, err) < 0)
		return -err->code;
	return check(url, err);
}

int git_url_parse(const char *text, struct git_url *ret, struct err *err)
{
	cleanup_git_url struct git_url url = {};
	size_t len = strcspn(text, "?#");

	if (!is_git(text, len))
		return 0;
	if (fill(&url, text, len, err) < 0)
		return -err->code;
	*ret = url;
	url = (struct git_url){};
	return 1;
}

void git_url_done(struct git_url *url)
{
	free(url->remote);
	free(url->ref);
	free(url->subdir);
	free(url->checksum);
	free(url->user);
	free(url->password);
	*url = (struct git_url){};
}
