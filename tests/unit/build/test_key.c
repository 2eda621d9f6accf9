/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: whatever decides what a step leaves changes its key, and nothing else does. */
#include "../unit.h"

#include "base/mem.h"
#include "build/build_private.h"

#include <string.h>

/* Two steps, the second one a RUN or COPY above the first, which is scratch. */
struct fixture {
	struct build_request request;
	struct build b;
	struct build_step steps[3];
	struct node nodes[3];
};

static void set_up(struct fixture *f)
{
	*f = (struct fixture){};
	build_request_init(&f->request);
	f->b = (struct build){.request = &f->request, .nodes = f->nodes};
	f->b.graph.steps = f->steps;
	f->b.graph.n_steps = ARRAY_LEN(f->steps);
	for (size_t i = 0; i < ARRAY_LEN(f->nodes); i++)
		f->nodes[i] = (struct node){.build = &f->b, .number = i};
	f->steps[0] = (struct build_step){.kind = BUILD_STEP_SCRATCH, .parent = BUILD_NONE};
	f->steps[2] = (struct build_step){.kind = BUILD_STEP_SCRATCH, .parent = BUILD_NONE};
	memset(f->nodes[0].result, 'a', DIGEST_HEX_LEN);
	memset(f->nodes[2].result, 'c', DIGEST_HEX_LEN);
}

static void key_of(struct fixture *f, char ret[static KEY_LEN])
{
	struct err err = ERR_INIT;

	if (f->steps[1].kind == BUILD_STEP_COPY)
		key_of_copy(&f->b, 1, "digest", ret);
	else
		assert_int_equal(key_of_step(&f->b, 1, ret, &err), 0);
}

static void set_run(struct fixture *f)
{
	set_up(f);
	f->steps[1] = (struct build_step){.kind = BUILD_STEP_RUN, .parent = 0};
	strv_add(&f->steps[1].run.argv, "/bin/sh");
	strv_add(&f->steps[1].run.argv, "-c");
	strv_add(&f->steps[1].run.argv, "make");
	strv_add(&f->steps[1].run.env, "A=1");
}

static void done(struct fixture *f)
{
	struct build_run_op *run = &f->steps[1].run;

	if (f->steps[1].kind == BUILD_STEP_RUN) {
		strv_done(&run->argv);
		strv_done(&run->env);
		strv_done(&run->unkeyed_env);
	}
	build_request_done(&f->request);
}

/* ---- RUN ---- */

static char root[] = "root", elsewhere[] = "/elsewhere", none[] = "none", text[] = "#!/bin/sh\n",
	    name[] = "[1/2] RUN make";

static void change_argv(struct fixture *f)
{
	strv_add(&f->steps[1].run.argv, "");
}
/* The same bytes in other words. */
static void change_words(struct fixture *f)
{
	strv_done(&f->steps[1].run.argv);
	strv_add(&f->steps[1].run.argv, "/bin/sh-c");
	strv_add(&f->steps[1].run.argv, "");
	strv_add(&f->steps[1].run.argv, "make");
}
static void change_env(struct fixture *f)
{
	strv_add(&f->steps[1].run.env, "B=2");
}
static void change_user(struct fixture *f)
{
	f->steps[1].run.user = root;
}
static void change_workdir(struct fixture *f)
{
	f->steps[1].run.workdir = elsewhere;
}
static void change_network(struct fixture *f)
{
	f->steps[1].run.network = none;
}
static void change_script(struct fixture *f)
{
	f->steps[1].run.script = text;
}
static void change_insecure(struct fixture *f)
{
	f->steps[1].run.insecure = true;
}
static void change_hosts(struct fixture *f)
{
	strv_add(&f->request.extra_hosts, "a:1.2.3.4");
}
static void change_hostname(struct fixture *f)
{
	strv_add(&f->request.build_args, "BUILDKIT_SANDBOX_HOSTNAME=here");
}
static void change_build_arg(struct fixture *f)
{
	strv_add(&f->request.build_args, "OTHER=here");
}
static void change_parent(struct fixture *f)
{
	f->steps[1].parent = 2;
}
static struct build_mount mount = {
	.mount = {.type = RUN_MOUNT_CACHE, .target = elsewhere},
	.from_step = BUILD_NONE,
	.from_source = BUILD_NONE,
};
static void change_mount(struct fixture *f)
{
	f->steps[1].run.mounts = &mount;
	f->steps[1].run.n_mounts = 1;
}

static void change_proxy(struct fixture *f)
{
	strv_add(&f->steps[1].run.unkeyed_env, "http_proxy=x");
}
static void change_name(struct fixture *f)
{
	f->steps[1].name = name;
	f->steps[1].lines = (struct dockerfile_lines){7, 9};
}
static void change_memory(struct fixture *f)
{
	f->request.memory = 1 << 30;
}

static const struct change {
	void (*fn)(struct fixture *f);
	bool counts;
} changes[] = {
	{change_argv, true},	   {change_words, true},    {change_env, true},
	{change_user, true},	   {change_workdir, true},  {change_network, true},
	{change_script, true},	   {change_insecure, true}, {change_hosts, true},
	{change_parent, true},	   {change_mount, true},    {change_proxy, false},
	{change_name, false},	   {change_memory, false},  {change_hostname, true},
	{change_build_arg, false},
};

static void test_run(void **state)
{
	char seen[ARRAY_LEN(changes) + 1][KEY_LEN];
	struct fixture f;
	size_t n = 0;

	(void)state;
	set_run(&f);
	key_of(&f, seen[n++]);
	done(&f);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		char key[KEY_LEN];
		bool is_old = false;

		set_run(&f);
		changes[i].fn(&f);
		key_of(&f, key);
		done(&f);
		for (size_t j = 0; j < n; j++)
			is_old |= strcmp(seen[j], key) == 0;
		assert_int_equal(is_old, !changes[i].counts);
		if (!is_old)
			memcpy(seen[n++], key, sizeof(key));
	}
}

/* ---- COPY ---- */

static char target[] = "/t", other[] = "/u", path[] = "f";
static struct build_copy_item item = {.kind = BUILD_ITEM_PATH, .path = path};

static void set_copy(struct fixture *f)
{
	set_up(f);
	f->steps[1] = (struct build_step){
		.kind = BUILD_STEP_COPY,
		.parent = 0,
		.copy = {.items = &item,
			 .n_items = 1,
			 .from_step = 2,
			 .from_source = BUILD_NONE,
			 .target = target,
			 .unpack = -1},
	};
}

static void test_copy(void **state)
{
	struct fixture f;
	char first[KEY_LEN], second[KEY_LEN];

	(void)state;
	set_copy(&f);
	key_of(&f, first);
	/* What is copied is in the digest; how the step it is from is called does not count. */
	memset(f.nodes[2].result, 'd', DIGEST_HEX_LEN);
	key_of(&f, second);
	assert_string_equal(first, second);
	memset(f.nodes[0].result, 'e', DIGEST_HEX_LEN);
	key_of(&f, second);
	assert_string_not_equal(first, second);
	f.steps[1].copy.target = other;
	key_of(&f, first);
	assert_string_not_equal(first, second);
}

static void test_link_has_no_parent(void **state)
{
	struct fixture f;
	char first[KEY_LEN], second[KEY_LEN];

	(void)state;
	set_copy(&f);
	f.steps[1].copy.link = true;
	key_of(&f, first);
	memset(f.nodes[0].result, 'e', DIGEST_HEX_LEN);
	key_of(&f, second);
	assert_string_equal(first, second);
}

static void test_fast(void **state)
{
	struct fixture f;
	char first[KEY_LEN], second[KEY_LEN];

	(void)state;
	set_copy(&f);
	key_of_copy_fast(&f.b, 1, first);
	key_of_copy(&f.b, 1, "digest", second);
	assert_string_not_equal(first, second);
	memset(f.nodes[2].result, 'd', DIGEST_HEX_LEN);
	key_of_copy_fast(&f.b, 1, second);
	assert_string_not_equal(first, second);
	/* A context's files have no name but their digest. */
	f.steps[1].copy.from_step = BUILD_NONE;
	key_of_copy_fast(&f.b, 1, second);
	assert_string_equal(second, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_link_has_no_parent),
		cmocka_unit_test(test_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
