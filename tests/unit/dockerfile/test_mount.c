/* SPDX-License-Identifier: Apache-2.0 */
/* Values of RUN --mount. */
#include "../unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "dockerfile/mount.h"

static void add(struct str *s, const char *name, const char *value)
{
	if (value)
		str_addf(s, " %s=%s", name, value);
}

/* All that is set, in a fixed order. */
static char *describe(const struct run_mount *m)
{
	static const char *const types[] = {"bind", "cache", "tmpfs", "secret", "ssh"};
	static const char *const sharings[] = {"shared", "private", "locked"};
	struct str s = STR_INIT;

	str_addf(&s, "%s %s", types[m->type], m->read_only ? "ro" : "rw");
	add(&s, "from", m->from);
	add(&s, "source", m->source);
	add(&s, "target", m->target);
	add(&s, "id", m->id);
	add(&s, "env", m->env);
	if (m->required)
		str_add(&s, " required");
	if (m->sharing != SHARING_SHARED)
		str_addf(&s, " %s", sharings[m->sharing]);
	if (m->size)
		str_addf(&s, " size=%lld", (long long)m->size);
	if (m->has_mode)
		str_addf(&s, " mode=%o", m->mode);
	if (m->has_uid)
		str_addf(&s, " uid=%u", m->uid);
	if (m->has_gid)
		str_addf(&s, " gid=%u", m->gid);
	return str_take(&s);
}

static void understands(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"target=/x", "bind ro target=/x"},
		{"type=bind,target=/x", "bind ro target=/x"},
		{"type=BIND,dst=/x", "bind ro target=/x"},
		{"TYPE=bind,DST=/x", "bind ro target=/x"},
		{"destination=/x,src=a", "bind ro source=a target=/x"},
		{"target=/x,from=build,source=/out", "bind ro from=build source=/out target=/x"},
		{"target=/x,rw", "bind rw target=/x"},
		{"target=/x,readwrite", "bind rw target=/x"},
		{"target=/x,rw=false", "bind ro target=/x"},
		{"target=/x,rw=1", "bind rw target=/x"},
		{"target=/x,ro=F", "bind rw target=/x"},
		{"target=/x,rw,ro", "bind ro target=/x"},
		{"target=x", "bind ro target=x"},
		{"target=../x", "bind ro target=../x"},
		{"type=cache,target=/c", "cache rw target=/c"},
		{"type=cache,target=/c,id=", "cache rw target=/c"},
		{"type=cache,target=/c,id=i,sharing=locked", "cache rw target=/c id=i locked"},
		{"type=cache,target=/c,sharing=PRIVATE", "cache rw target=/c private"},
		{"type=cache,target=/c,sharing=shared,ro", "cache ro target=/c"},
		{"type=cache,target=/c,from=base,source=/s",
		 "cache rw from=base source=/s target=/c"},
		{"type=cache,target=/c,mode=0700,uid=1000,gid=1001",
		 "cache rw target=/c mode=700 uid=1000 gid=1001"},
		{"type=cache,target=/c,uid=4294967295", "cache rw target=/c uid=4294967295"},
		{"type=tmpfs,target=/t", "tmpfs rw target=/t"},
		{"type=tmpfs,target=/t,size=64m", "tmpfs rw target=/t size=67108864"},
		{"type=tmpfs,target=/t,size=10", "tmpfs rw target=/t size=10"},
		{"type=secret,id=s", "secret ro id=s"},
		{"type=secret,source=s", "secret ro source=s id=s"},
		{"type=secret,id=s,required", "secret ro id=s required"},
		{"type=secret,id=s,required=false", "secret ro id=s"},
		{"type=secret,id=s,env=E", "secret ro id=s env=E"},
		{"type=secret,id=s,target=/run/x,mode=0444,uid=1",
		 "secret ro target=/run/x id=s mode=444 uid=1"},
		{"type=secret,target=/run/x", "secret ro target=/run/x"},
		{"type=ssh", "ssh ro"},
		{"type=ssh,id=k,target=/agent,required=true", "ssh ro target=/agent id=k required"},
		{"type=ssh,mode=0600,uid=5,gid=6", "ssh ro mode=600 uid=5 gid=6"},
		{"\"target=/a,b\",type=bind", "bind ro target=/a,b"},
		{"\"target=/a\"\"b\"", "bind ro target=/a\"b"},
		{"target=/a=b", "bind ro target=/a=b"},
		{"target=/a,target=/b", "bind ro target=/b"},
		{"from=", "bind ro"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run_mount m = {};
		struct err err = ERR_INIT;
		cleanup_free char *got = NULL;

		if (run_mount_parse(cases[i].text, &m, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		got = describe(&m);
		assert_string_equal(got, cases[i].want);
		run_mount_done(&m);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "failed to parse csv mounts: EOF"},
		{"a\"b", "failed to parse csv mounts: parse error on line 1, column 2: bare \" in "
			 "non-quoted-field"},
		{"\"a",
		 "failed to parse csv mounts: parse error on line 1, column 2: extraneous or "
		 "missing \" in quoted-field"},
		{"type=cach", "unsupported mount type \"cach\" (did you mean cache?)"},
		{"type=volume", "unsupported mount type \"volume\""},
		{"type=", "unsupported mount type \"\""},
		{"type", "invalid field 'type' must be a key=value pair"},
		{"target", "invalid field 'target' must be a key=value pair"},
		{"target=/x,", "invalid field '' must be a key=value pair"},
		{"nope", "invalid field 'nope' must be a key=value pair"},
		{"tagret=/x", "unexpected key 'tagret' in 'tagret=/x' (did you mean target?)"},
		{"typ=bind", "unexpected key 'typ' in 'typ=bind' (did you mean type?)"},
		{"consistency=cached", "unexpected key 'consistency' in 'consistency=cached'"},
		{"target=/x,rw=maybe", "invalid value for rw: maybe"},
		{"target=/x,readonly=2", "invalid value for readonly: 2"},
		{"target=/x,required", "unexpected key 'required' for mount type 'bind'"},
		{"required,type=secret,id=x", "unexpected key 'required' for mount type 'bind'"},
		{"type=secret,id=x,required=y", "invalid value for required: y"},
		{"target=/x,size=1m", "unexpected key 'size' for mount type 'bind'"},
		{"type=cache,target=/x,size=1m", "unexpected key 'size' for mount type 'cache'"},
		{"type=tmpfs,target=/x,size=big", "invalid value for size: big"},
		{"type=cache,target=/x,sharing=share",
		 "unsupported sharing value \"share\" (did you mean shared?)"},
		{"type=cache,target=/x,sharing=exclusive",
		 "unsupported sharing value \"exclusive\""},
		{"target=/x,sharing=locked", "invalid cache sharing set for bind mount"},
		{"type=ssh,sharing=locked", "invalid cache sharing set for ssh mount"},
		{"type=cache,target=/x,mode=9", "invalid value 9 for mode"},
		{"type=cache,target=/x,mode=rwx", "invalid value rwx for mode"},
		{"type=cache,target=/x,uid=root", "invalid value root for uid"},
		{"type=cache,target=/x,uid=-1", "invalid value -1 for uid"},
		{"type=cache,target=/x,gid=4294967296", "invalid value 4294967296 for gid"},
		{"target=/x,mode=0700", "mode not allowed for \"bind\" type mounts"},
		{"type=tmpfs,target=/x,uid=1", "uid not allowed for \"tmpfs\" type mounts"},
		{"target=/x,gid=1", "gid not allowed for \"bind\" type mounts"},
		{"type=secret", "invalid secret mount. one of source, target required"},
		{"type=secret,id=a,from=b", "secret mount should not have a from"},
		{"type=secret,id=a,sharing=shared", "secret mount should not define sharing"},
		{"type=secret,id=a,source=b", "both source and id can't be set"},
		{"target=/", "invalid mount target \"/\""},
		{"type=cache,target=//", "invalid mount target \"//\""},
		{"type=tmpfs,target=/.", "invalid mount target \"/.\""},
		{"target=/a/..", "invalid mount target \"/a/..\""},
		{"target=/../../", "invalid mount target \"/../../\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run_mount m = {};
		struct err err = ERR_INIT;

		assert_int_equal(run_mount_parse(cases[i].text, &m, &err), -ERR_INVALID);
		assert_string_equal(err.msg, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
