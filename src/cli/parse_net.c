/* SPDX-License-Identifier: Apache-2.0 */
/* Network options and --filter. */
#include "cli/parse_net.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/parse_mount.h"
#include "cli/quote.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

static bool is_address(const char *s)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, s, &addr) == 1 || inet_pton(AF_INET6, s, &addr) == 1;
}

/* Owned copy without the brackets of "[::1]". */
static char *strip_brackets(const char *s)
{
	size_t len = strlen(s);

	return len > 2 && s[0] == '[' && s[len - 1] == ']' ? str_ndup(s + 1, len - 2) : str_dup(s);
}

int dns_option_check(void *field, const char *value, struct err *err)
{
	return is_address(value) ? 0 : fail("IP address is not correctly formatted: %s", value);
}

/* Labels of letters, digits and, inside, "-"; a point may end the last one. A letter somewhere. */
static bool is_domain(const char *s)
{
	bool has_letter = false;

	if (strlen(s) > 253)
		return false;
	while (*s) {
		size_t len = strcspn(s, ".");

		if (len == 0 || s[0] == '-' || s[len - 1] == '-')
			return false;
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)s[i]) && s[i] != '-')
				return false;
			else if (isalpha((unsigned char)s[i]))
				has_letter = true;
		s += len + (s[len] == '.');
	}
	return has_letter;
}

int dns_search_option_check(void *field, const char *value, struct err *err)
{
	if (strcmp(value, ".") == 0 || is_domain(value))
		return 0;
	return fail("%s is not a valid domain", value);
}

int host_option_set(void *strv, const char *value, struct err *err)
{
	cleanup_free char *address = NULL;
	cleanup_free char *quoted = NULL;
	size_t len = strchr(value, '=') ? strcspn(value, "=") : strcspn(value, ":");

	if (len == 0 || !value[len]) {
		quoted = str_go_quote(value);
		return fail("bad format for add-host: %s", quoted);
	}
	address = strip_brackets(value + len + 1);
	if (strcmp(address, "host-gateway") != 0 && !is_address(address)) {
		quoted = str_go_quote(value + len + 1);
		return fail("invalid IP address in add-host: %s", quoted);
	}
	strv_addf(strv, "%.*s:%s", (int)len, value, address);
	return 0;
}

int filter_option_set(void *strv, const char *value, struct err *err)
{
	cleanup_free char *copy = str_dup(value);
	char *equals = strchr(copy, '=');
	char *key = NULL;

	if (!value[0])
		return 0;
	if (!equals)
		return fail("bad format of filter (expected name=value)");
	*equals = '\0';
	key = str_trim(copy);
	for (char *p = key; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p | 0x20);
	strv_addf(strv, "%s=%s", key, str_trim(equals + 1));
	return 0;
}
