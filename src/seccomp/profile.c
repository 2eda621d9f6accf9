/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to struct profile. Anything that has the wrong type or an unknown name is an error: a
 * profile that is understood by half would protect by half. Keys that are not known are ignored, as
 * docker does ("comment", "flags" of other runtimes).
 */
#include "seccomp/profile.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/caps.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/utsname.h>

#define DECODING "Decoding seccomp profile failed: "
/* SCMP_ACT_ERRNO carries 12 bits of value (MAX_ERRNO of the kernel is 4095). */
#define MAX_ERRNO 4095

struct value_name {
	const char *name;
	uint32_t value;
};

/* ERRNO and TRACE get their number from errnoRet. */
static const struct value_name actions[] = {
	{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
};

static const struct value_name operators[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

/* The OCI name, and docker's word for it in includes and excludes. */
static const struct {
	const char *name, *word;
	uint32_t token;
} arches[] = {
	{"SCMP_ARCH_X86", "x86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X86_64", "amd64", SCMP_ARCH_X86_64},
	{"SCMP_ARCH_X32", "x32", SCMP_ARCH_X32},
	{"SCMP_ARCH_ARM", "arm", SCMP_ARCH_ARM},
	{"SCMP_ARCH_AARCH64", "arm64", SCMP_ARCH_AARCH64},
};

/* Known to the specification, but no calls of theirs can be made on the machines we run on. */
static const char *const other_arches[] = {
	"SCMP_ARCH_MIPS",	 "SCMP_ARCH_MIPS64",	  "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
	"SCMP_ARCH_MIPSEL64",	 "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",	 "SCMP_ARCH_PPC64",
	"SCMP_ARCH_PPC64LE",	 "SCMP_ARCH_S390",	  "SCMP_ARCH_S390X",	 "SCMP_ARCH_PARISC",
	"SCMP_ARCH_PARISC64",	 "SCMP_ARCH_RISCV64",	  "SCMP_ARCH_M68K",	 "SCMP_ARCH_SH",
	"SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_SHEB",
};

void profile_host_init(struct profile_host *host, uint64_t caps)
{
	struct utsname name = {};

	*host = (struct profile_host){.caps = caps, .arch = seccomp_arch_native()};
	uname(&name);
	sscanf(name.release, "%u.%u", &host->kernel_major, &host->kernel_minor);
}

static int fail_type(struct err *err, const char *key, const char *expected)
{
	return err_set(err, ERR_INVALID, DECODING "%s: expected %s", key, expected);
}

static int find_value(const struct value_name *table, size_t n, const char *name, const char *what,
		      uint32_t *ret, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (str_is_equal(table[i].name, name)) {
			*ret = table[i].value;
			return 0;
		}
	return err_set(err, ERR_INVALID, "invalid seccomp profile: unknown %s \"%s\"", what, name);
}

/* An absent key and null give NULL. */
static int get_string(const json_t *object, const char *key, const char **ret, struct err *err)
{
	const json_t *v = json_object_get(object, key);

	if (v && !json_is_null(v) && !json_is_string(v))
		return fail_type(err, key, "a string");
	*ret = json_string_value(v);
	return 0;
}

static int get_number(const json_t *object, const char *key, int64_t missing, int64_t *ret,
		      struct err *err)
{
	const json_t *v = json_object_get(object, key);

	if (!v || json_is_null(v)) {
		*ret = missing;
		return 0;
	}
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return fail_type(err, key, "a whole number");
	*ret = json_integer_value(v);
	return 0;
}

static int get_container(const json_t *object, const char *key, bool array, json_t **ret,
			 struct err *err)
{
	json_t *v = json_object_get(object, key);

	*ret = NULL;
	if (!v || json_is_null(v))
		return 0;
	if (array ? !json_is_array(v) : !json_is_object(v))
		return fail_type(err, key, array ? "an array" : "an object");
	*ret = v;
	return 0;
}

static int get_strings(const json_t *object, const char *key, struct strv *ret, struct err *err)
{
	json_t *list = NULL, *item = NULL;
	size_t i = 0;
	int r = get_container(object, key, true, &list, err);

	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return fail_type(err, key, "an array of strings");
		strv_add(ret, json_string_value(item));
	}
	return 0;
}

static int parse_action(const char *name, int64_t errnum, uint32_t *ret, struct err *err)
{
	uint32_t action = 0;
	int r = 0;

	if (str_is_equal(name, "SCMP_ACT_NOTIFY")) /* nobody listens: calls would hang */
		return err_set(err, ERR_UNSUPPORTED,
			       "seccomp action SCMP_ACT_NOTIFY is not supported");
	r = find_value(actions, ARRAY_LEN(actions), name ? name : "", "action", &action, err);
	if (r < 0)
		return r;
	if (errnum > MAX_ERRNO)
		return err_set(err, ERR_INVALID, "invalid seccomp profile: errnoRet %lld",
			       (long long)errnum);
	if (action == SCMP_ACT_ERRNO(0) || action == SCMP_ACT_TRACE(0))
		action |= (uint32_t)errnum;
	*ret = action;
	return 0;
}

static void add_arch(struct profile *p, uint32_t token)
{
	for (size_t i = 0; i < p->n_arches; i++)
		if (p->arches[i] == token)
			return;
	p->arches = mem_realloc_array(p->arches, p->n_arches + 1, sizeof(*p->arches));
	p->arches[p->n_arches++] = token;
}

/* 0 for an architecture that cannot occur here. */
static int find_arch(const char *name, uint32_t *ret, struct err *err)
{
	*ret = 0;
	for (size_t i = 0; i < ARRAY_LEN(other_arches); i++)
		if (str_is_equal(other_arches[i], name))
			return 0;
	for (size_t i = 0; i < ARRAY_LEN(arches); i++)
		if (str_is_equal(arches[i].name, name)) {
			*ret = arches[i].token;
			return 0;
		}
	return err_set(err, ERR_INVALID, "invalid seccomp profile: unknown architecture \"%s\"",
		       name);
}

/* Whether a process of MACHINE can make calls of ARCH. */
static bool is_of_machine(uint32_t arch, uint32_t machine)
{
	if (machine == SCMP_ARCH_X86_64)
		return arch == SCMP_ARCH_X86_64 || arch == SCMP_ARCH_X86 || arch == SCMP_ARCH_X32;
	if (machine == SCMP_ARCH_AARCH64)
		return arch == SCMP_ARCH_AARCH64 || arch == SCMP_ARCH_ARM;
	return arch == machine;
}

static int add_arches(struct profile *p, const struct strv *names, uint32_t machine,
		      struct err *err)
{
	strv_foreach (i, names) {
		uint32_t token = 0;
		int r = find_arch(names->items[i], &token, err);

		if (r < 0)
			return r;
		if (is_of_machine(token, machine))
			add_arch(p, token);
	}
	return 0;
}

/* docker's archMap: the entry of this machine, with its sub-architectures. */
static int parse_arch_map(struct profile *p, const json_t *map, uint32_t machine, struct err *err)
{
	json_t *entry = NULL;
	size_t i = 0;

	json_array_foreach (map, i, entry) {
		cleanup_strv struct strv names = STRV_INIT;
		const char *name = NULL;
		uint32_t token = 0;
		int r = get_string(entry, "architecture", &name, err);

		if (r >= 0)
			r = find_arch(name ? name : "", &token, err);
		if (r >= 0 && token == machine)
			r = get_strings(entry, "subArchitectures", &names, err);
		if (r >= 0)
			r = add_arches(p, &names, machine, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_arches(struct profile *p, const json_t *root, uint32_t machine, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	json_t *map = NULL;
	int r = get_strings(root, "architectures", &names, err);

	if (r >= 0)
		r = get_container(root, "archMap", true, &map, err);
	if (r < 0)
		return r;
	if (names.n > 0 && json_array_size(map) > 0)
		return err_set(err, ERR_INVALID,
			       "both 'architectures' and 'archMap' are specified in the seccomp "
			       "profile, use either 'architectures' or 'archMap'");
	add_arch(p, machine);
	r = add_arches(p, &names, machine, err);
	return r < 0 ? r : parse_arch_map(p, map, machine, err);
}

static const char *arch_word(uint32_t token)
{
	for (size_t i = 0; i < ARRAY_LEN(arches); i++)
		if (arches[i].token == token)
			return arches[i].word;
	return "";
}

static bool has_cap(const struct profile_host *host, const char *name)
{
	int cap = str_has_prefix(name, "CAP_") ? caps_parse(name) : -1;

	return cap >= 0 && (host->caps & CAPS_BIT(cap));
}

/* Whether this kernel is at least VERSION ("4.8"); a negative code for what is no version. */
static int is_kernel(const struct profile_host *host, const char *version, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	int major = 0, minor = 0;

	strv_split(&parts, version, '.');
	if (parts.n != 2 || num_parse_int(parts.items[0], &major) < 0 ||
	    num_parse_int(parts.items[1], &minor) < 0 || major < 0 || minor < 0)
		return err_set(err, ERR_INVALID,
			       DECODING "invalid kernel version: \"%s\", expected "
					"\"<kernel>.<major>\"",
			       version);
	if (host->kernel_major != (unsigned)major)
		return host->kernel_major > (unsigned)major;
	return host->kernel_minor >= (unsigned)minor;
}

/* "excludes" skips a rule when any of its conditions holds, "includes" when any does not. Returns
 * whether the rule is to be skipped. */
static int is_skipped(const json_t *rule, const char *key, bool skip_when,
		      const struct profile_host *host, struct err *err)
{
	cleanup_strv struct strv caps = STRV_INIT, words = STRV_INIT;
	const char *version = NULL;
	json_t *filter = NULL;
	int r = get_container(rule, key, false, &filter, err);

	if (r >= 0)
		r = get_strings(filter, "caps", &caps, err);
	if (r >= 0)
		r = get_strings(filter, "arches", &words, err);
	if (r >= 0)
		r = get_string(filter, "minKernel", &version, err);
	if (r < 0)
		return r;
	if (words.n > 0 && strv_has(&words, arch_word(host->arch)) == skip_when)
		return true;
	strv_foreach (i, &caps)
		if (has_cap(host, caps.items[i]) == skip_when)
			return true;
	if (!version || !*version)
		return false;
	r = is_kernel(host, version, err);
	return r < 0 ? r : (r > 0) == skip_when;
}

static int parse_arg(struct profile_rule *rule, const json_t *arg, struct err *err)
{
	int64_t index = 0, value = 0, value_two = 0;
	const char *op = NULL;
	uint32_t compare = 0;
	int r = get_number(arg, "index", 0, &index, err);

	if (r >= 0)
		r = get_number(arg, "value", 0, &value, err);
	if (r >= 0)
		r = get_number(arg, "valueTwo", 0, &value_two, err);
	if (r >= 0)
		r = get_string(arg, "op", &op, err);
	if (r >= 0)
		r = find_value(operators, ARRAY_LEN(operators), op ? op : "", "operator", &compare,
			       err);
	if (r < 0)
		return r;
	if (index > 5)
		return err_set(err, ERR_INVALID,
			       "invalid seccomp profile: argument index %lld is not in 0..5",
			       (long long)index);
	rule->args = mem_realloc_array(rule->args, rule->n_args + 1, sizeof(*rule->args));
	rule->args[rule->n_args++] = (struct scmp_arg_cmp){
		.arg = (unsigned)index,
		.op = (enum scmp_compare)compare,
		.datum_a = (scmp_datum_t)value,
		.datum_b = (scmp_datum_t)value_two,
	};
	return 0;
}

static int parse_names(struct profile_rule *rule, const json_t *object, struct err *err)
{
	const char *name = NULL;
	int r = get_string(object, "name", &name, err);

	if (r >= 0)
		r = get_strings(object, "names", &rule->names, err);
	if (r < 0)
		return r;
	if (!name || !*name)
		return 0;
	if (rule->names.n > 0)
		return err_set(err, ERR_INVALID,
			       "both 'name' and 'names' are specified in the seccomp profile, use "
			       "either 'name' or 'names'");
	strv_add(&rule->names, name);
	return 0;
}

/* Fills RULE; returns 1 when it applies here, 0 when not. */
static int parse_rule(struct profile_rule *rule, const json_t *object,
		      const struct profile_host *host, struct err *err)
{
	json_t *args = NULL, *arg = NULL;
	const char *action = NULL;
	int64_t errnum = 0;
	size_t i = 0;
	int r = json_is_object(object) ? 0 : fail_type(err, "syscalls", "an array of objects");

	if (r >= 0)
		r = parse_names(rule, object, err);
	if (r >= 0)
		r = get_string(object, "action", &action, err);
	if (r >= 0)
		r = get_number(object, "errnoRet", EPERM, &errnum, err);
	if (r >= 0)
		r = get_container(object, "args", true, &args, err);
	if (r >= 0)
		r = is_skipped(object, "excludes", true, host, err);
	if (r == 0)
		r = is_skipped(object, "includes", false, host, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = parse_action(action, errnum, &rule->action, err);
	json_array_foreach (args, i, arg)
		if (r >= 0)
			r = parse_arg(rule, arg, err);
	return r < 0 ? r : 1;
}

static void rule_done(struct profile_rule *rule)
{
	strv_done(&rule->names);
	free(rule->args);
	*rule = (struct profile_rule){};
}

static int parse_rules(struct profile *p, const json_t *calls, const struct profile_host *host,
		       struct err *err)
{
	json_t *object = NULL;
	size_t i = 0;

	p->rules = mem_zalloc((json_array_size(calls) + 1) * sizeof(*p->rules));
	json_array_foreach (calls, i, object) {
		int r = parse_rule(&p->rules[p->n_rules], object, host, err);

		if (r > 0)
			p->n_rules++;
		else
			rule_done(&p->rules[p->n_rules]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The commonest mistakes in the words of the decoder that docker uses. */
static int fail_syntax(const char *text, size_t len, const json_error_t *json, struct err *err)
{
	size_t at = 0;

	while (at < len && isspace((unsigned char)text[at]))
		at++;
	if (at == len)
		return err_set(err, ERR_INVALID, DECODING "unexpected end of JSON input");
	if (!strchr("{[\"-0123456789tfn", text[at]) && isprint((unsigned char)text[at]))
		return err_set(err, ERR_INVALID,
			       DECODING "invalid character '%c' looking for beginning of value",
			       text[at]);
	return err_set(err, ERR_INVALID, DECODING "line %d: %s", json->line, json->text);
}

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

int profile_parse(const char *text, size_t len, const struct profile_host *host,
		  struct profile *ret, struct err *err)
{
	cleanup_with(cleanup_json) json_t *root = NULL;
	json_error_t json = {};
	json_t *calls = NULL;
	const char *action = NULL;
	int64_t errnum = 0;
	int r = 0;

	*ret = (struct profile){.default_action = SCMP_ACT_ALLOW};
	root = json_loadb(text, len, 0, &json);
	if (!root)
		return fail_syntax(text, len, &json, err);
	if (!json_is_object(root))
		return err_set(err, ERR_INVALID, DECODING "expected an object");
	r = parse_arches(ret, root, host->arch, err);
	if (r >= 0)
		r = get_string(root, "defaultAction", &action, err);
	if (r >= 0)
		r = get_number(root, "defaultErrnoRet", EPERM, &errnum, err);
	if (r >= 0)
		r = get_container(root, "syscalls", true, &calls, err);
	if (r < 0)
		return r;
	if ((!action || !*action) && json_array_size(calls) == 0) {
		ret->n_arches = 0;
		return 0;
	}
	r = parse_action(action, errnum, &ret->default_action, err);
	return r < 0 ? r : parse_rules(ret, calls, host, err);
}

void profile_done(struct profile *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		rule_done(&p->rules[i]);
	free(p->rules);
	free(p->arches);
	*p = (struct profile){};
}
