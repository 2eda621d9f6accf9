/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: three short words, normalised as containerd's platforms package does. */
#include "oci/platform.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "oci/layout.h"

/* Names of the same machine, and the variant that goes without saying. */
static const struct {
	const char *arch;
	const char *variant; /* NULL: whatever it is */
	const char *to_arch;
	const char *to_variant; /* NULL: as it is */
} synonyms[] = {
	{"x86_64", NULL, "amd64", NULL}, {"x86-64", NULL, "amd64", NULL},
	{"i386", NULL, "386", NULL},	 {"aarch64", NULL, "arm64", NULL},
	{"armhf", "", "arm", "v7"},	 {"armel", "", "arm", "v6"},
	{"amd64", "v1", "amd64", ""},	 {"arm64", "v8", "arm64", ""},
	{"arm64", "8", "arm64", ""},	 {"arm", "", "arm", "v7"},
};

static void set_part(char part[static PLATFORM_PART_LEN], const char *text)
{
	if (text && strlen(text) >= PLATFORM_PART_LEN)
		text = "?";
	snprintf(part, PLATFORM_PART_LEN, "%s", text ? text : "");
}

static void normalise(struct platform *p)
{
	for (size_t i = 0; i < ARRAY_LEN(synonyms); i++) {
		if (strcmp(p->arch, synonyms[i].arch) != 0 ||
		    (synonyms[i].variant && strcmp(p->variant, synonyms[i].variant) != 0))
			continue;
		set_part(p->arch, synonyms[i].to_arch);
		if (synonyms[i].to_variant)
			set_part(p->variant, synonyms[i].to_variant);
	}
}

void platform_set(struct platform *p, const char *os, const char *arch, const char *variant)
{
	set_part(p->os, os);
	set_part(p->arch, arch);
	set_part(p->variant, variant);
	normalise(p);
}

void platform_get_host(struct platform *ret)
{
	platform_set(ret, "linux", layout_host_arch(), NULL);
}

static bool is_word(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || (s[n] && strchr("_.-", s[n])))
		n++;
	return n > 0 && n < PLATFORM_PART_LEN && s[n] == '\0';
}

static bool is_os(const char *word)
{
	static const char *const names[] = {"linux", "windows", "darwin", "freebsd"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(word, names[i]) == 0)
			return true;
	return false;
}

static bool is_arch(const char *word)
{
	static const char *const names[] = {
		"386",	 "amd64",   "arm",    "armbe",	  "arm64", "arm64be", "loong64",
		"mips",	 "mipsle",  "mips64", "mips64le", "ppc",   "ppc64",   "ppc64le",
		"riscv", "riscv64", "s390",   "s390x",	  "sparc", "sparc64", "wasm",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(word, names[i]) == 0)
			return true;
	return false;
}

/* One word is an operating system or a machine. */
static int parse_word(const char *word, struct platform *ret, struct err *err)
{
	if (is_os(word)) {
		platform_set(ret, word, layout_host_arch(), NULL);
		return 0;
	}
	platform_set(ret, "linux", word, NULL);
	if (is_arch(ret->arch))
		return 0;
	return err_set(err, ERR_INVALID,
		       "\"%s\": unknown operating system or architecture: invalid argument", word);
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	bool is_valid = true;

	strv_split(&parts, text, '/');
	strv_foreach (i, &parts) {
		for (char *c = parts.items[i]; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		is_valid = is_valid && is_word(parts.items[i]);
	}
	if (!is_valid || parts.n > 3)
		return err_set(err, ERR_INVALID,
			       "\"%s\" is an invalid platform: it is not os[/arch[/variant]]",
			       text);
	if (parts.n == 1)
		return parse_word(parts.items[0], ret, err);
	platform_set(ret, parts.items[0], parts.items[1], parts.n > 2 ? parts.items[2] : NULL);
	return 0;
}

bool platform_matches(const struct platform *want, const struct platform *have)
{
	if (!*want->os && !*want->arch)
		return true;
	return strcmp(want->os, have->os) == 0 && strcmp(want->arch, have->arch) == 0 &&
	       (!*want->variant || strcmp(want->variant, have->variant) == 0);
}

const char *platform_format(const struct platform *p, char ret[static PLATFORM_LEN])
{
	snprintf(ret, PLATFORM_LEN, "%s/%s%s%s", p->os, p->arch, *p->variant ? "/" : "",
		 p->variant);
	return ret;
}
