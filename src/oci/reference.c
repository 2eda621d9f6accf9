/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference grammar, written as small scanners over the four parts. The order of the checks is
 * docker's (ParseNormalizedNamed), because it decides which message a wrong reference gets: a 64
 * digit name, then upper case in the path, then everything else.
 */
#include "oci/reference.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "oci/digest.h"

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN  "index.docker.io"
#define OFFICIAL       "library/"
#define MAX_PATH_LEN   255 /* distribution/reference RepositoryNameTotalLengthMax */
#define MAX_TAG_LEN    128
/* Longer than any domain with port, path, tag and digest that a registry would take. */
#define MAX_REFERENCE_LEN 4096

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool has_upper(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			return true;
	return false;
}

/* The length of a separator between two runs of letters: one of "_" "." "__" or any number of "-".
 */
static size_t scan_separator(const char *s)
{
	if (*s == '-')
		return strspn(s, "-");
	if (s[0] == '_')
		return s[1] == '_' ? 2 : 1;
	return *s == '.' ? 1 : 0;
}

/* One path component at S: its length, 0 when there is none. */
static size_t scan_component(const char *s)
{
	size_t n = 0;

	for (;;) {
		size_t start = n;

		while (is_lower_alnum(s[n]))
			n++;
		if (n == start)
			return 0;
		size_t sep = scan_separator(s + n);

		if (sep == 0)
			return n;
		n += sep;
	}
}

static bool path_is_valid(const char *path)
{
	for (;;) {
		size_t n = scan_component(path);

		if (n == 0)
			return false;
		path += n;
		if (*path == '\0')
			return true;
		if (*path++ != '/')
			return false;
	}
}

static bool tag_is_valid(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > MAX_TAG_LEN || tag[0] == '.' || tag[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(tag[i]) && !strchr("_.-", tag[i]))
			return false;
	return true;
}

/* Labels of letters, digits and inner dashes with dots between; or "[" hex and colons "]". */
static size_t scan_host(const char *s)
{
	size_t n = 0;

	if (*s == '[') {
		n = 1 + strspn(s + 1, "0123456789abcdefABCDEF:");
		return n > 1 && s[n] == ']' ? n + 1 : 0;
	}
	for (;;) {
		size_t start = n;

		while (is_alnum(s[n]) || s[n] == '-')
			n++;
		if (n == start || s[start] == '-' || s[n - 1] == '-')
			return 0;
		if (s[n] != '.')
			return n;
		n++;
	}
}

static bool domain_is_valid(const char *domain)
{
	size_t n = scan_host(domain);

	if (n == 0)
		return false;
	if (domain[n] == '\0')
		return true;
	if (domain[n] != ':' || domain[n + 1] == '\0')
		return false;
	return domain[n + 1 + strspn(domain + n + 1, "0123456789")] == '\0';
}

/* Whether the first component (LEN bytes of S, before a slash) names a registry. */
static bool is_domain(const char *s, size_t len)
{
	if (len == strlen("localhost") && memcmp(s, "localhost", len) == 0)
		return true;
	return memchr(s, '.', len) || memchr(s, ':', len) || has_upper(s, len);
}

/* Splits S into domain and what follows it, adding what a short name leaves out. */
static void split_domain(const char *s, char **ret_domain, char **ret_rest)
{
	cleanup_free char *domain = NULL;
	const char *slash = strchr(s, '/');
	const char *rest = s;

	if (slash && is_domain(s, (size_t)(slash - s))) {
		domain = str_ndup(s, (size_t)(slash - s));
		rest = slash + 1;
	}
	if (!domain || strcmp(domain, LEGACY_DOMAIN) == 0)
		str_replace(&domain, DEFAULT_DOMAIN);
	if (strcmp(domain, DEFAULT_DOMAIN) == 0 && !strchr(rest, '/'))
		*ret_rest = str_printf(OFFICIAL "%s", rest);
	else
		*ret_rest = str_dup(rest);
	*ret_domain = take_ptr(domain);
}

/* The text after "@". Anything that is not ALGORITHM:HEX of 32 digits or more is not a reference.
 */
static int parse_digest(const char *s, char **ret, struct err *err)
{
	char hex[DIGEST_HEX_LEN + 1];
	const char *colon = strchr(s, ':');
	size_t n = colon ? strspn(colon + 1, "0123456789abcdefABCDEF") : 0;

	if (!colon || n < 32 || colon[1 + n] != '\0' || !isalpha((unsigned char)*s))
		return err_set(err, ERR_INVALID, "invalid reference format");
	if (digest_parse(s, hex, err) < 0)
		return -err->code;
	*ret = str_dup(s);
	return 0;
}

/* REST is PATH[:TAG][@DIGEST]; its parts go into REF. */
static int parse_rest(const char *rest, struct reference *ref, struct err *err)
{
	size_t before_digest = strcspn(rest, "@");
	size_t path_len = strcspn(rest, ":@");

	ref->path = str_ndup(rest, path_len);
	if (rest[path_len] == ':')
		ref->tag = str_ndup(rest + path_len + 1, before_digest - path_len - 1);
	if (!path_is_valid(ref->path) || (ref->tag && !tag_is_valid(ref->tag)))
		return err_set(err, ERR_INVALID, "invalid reference format");
	if (strlen(ref->path) > MAX_PATH_LEN)
		return err_set(err, ERR_INVALID,
			       "repository name must not be more than %d characters", MAX_PATH_LEN);
	if (rest[before_digest] == '@')
		return parse_digest(rest + before_digest + 1, &ref->digest, err);
	return 0;
}

int reference_parse(const char *s, struct reference *ret, struct err *err)
{
	cleanup_reference struct reference ref = REFERENCE_INIT;
	cleanup_free char *rest = NULL;

	if (strlen(s) > MAX_REFERENCE_LEN)
		return err_set(err, ERR_INVALID, "invalid reference format");
	if (hex_is_valid(s, DIGEST_HEX_LEN))
		return err_set(err, ERR_INVALID,
			       "invalid repository name (%s), cannot specify 64-byte hexadecimal "
			       "strings",
			       s);
	split_domain(s, &ref.domain, &rest);

	size_t remote_len = strcspn(rest, ":");

	if (has_upper(rest, remote_len))
		return err_set(err, ERR_INVALID,
			       "invalid reference format: repository name (%.*s) must be lowercase",
			       (int)remote_len, rest);
	if (!domain_is_valid(ref.domain))
		return err_set(err, ERR_INVALID, "invalid reference format");
	if (parse_rest(rest, &ref, err) < 0)
		return -err->code;
	*ret = ref;
	ref = (struct reference)REFERENCE_INIT;
	return 0;
}

void reference_ensure_tag(struct reference *ref)
{
	if (!ref->tag && !ref->digest)
		ref->tag = str_dup(REFERENCE_DEFAULT_TAG);
}

void reference_done(struct reference *ref)
{
	free(ref->domain);
	free(ref->path);
	free(ref->tag);
	free(ref->digest);
	*ref = (struct reference)REFERENCE_INIT;
}

char *reference_format_name(const struct reference *ref)
{
	return str_printf("%s/%s", ref->domain, ref->path);
}

char *reference_format_familiar_name(const struct reference *ref)
{
	if (strcmp(ref->domain, DEFAULT_DOMAIN) != 0)
		return reference_format_name(ref);
	/* "library/a/b" stays long: "a/b" would mean another repository. */
	if (str_has_prefix(ref->path, OFFICIAL) && !strchr(ref->path + strlen(OFFICIAL), '/'))
		return str_dup(ref->path + strlen(OFFICIAL));
	return str_dup(ref->path);
}

static char *add_tag_and_digest(const struct reference *ref, char *name)
{
	cleanup_free char *owned = name;

	return str_printf("%s%s%s%s%s", owned, ref->tag ? ":" : "", ref->tag ? ref->tag : "",
			  ref->digest ? "@" : "", ref->digest ? ref->digest : "");
}

char *reference_format(const struct reference *ref)
{
	return add_tag_and_digest(ref, reference_format_name(ref));
}

char *reference_format_familiar(const struct reference *ref)
{
	return add_tag_and_digest(ref, reference_format_familiar_name(ref));
}
