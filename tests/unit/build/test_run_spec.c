/* SPDX-License-Identifier: Apache-2.0 */
/* From a RUN and the options of a build to a specification of a container. */
#include "../unit.h"

#include "base/mem.h"
#include "build/run_private.h"

struct fixture {
	struct build_request request;
	struct build_run_op op;
	struct build_run run;
};

static void begin(struct fixture *f)
{
	*f = (struct fixture){};
	build_request_init(&f->request);
	strv_add(&f->op.argv, "/bin/sh");
	strv_add(&f->op.argv, "-c");
	strv_add(&f->op.argv, "make");
	f->run.input.request = &f->request;
	f->run.input.op = &f->op;
}

static void end(struct fixture *f)
{
	build_request_done(&f->request);
	spec_done(&f->run.spec);
	image_run_done(&f->run.image);
	strv_done(&f->run.env);
	strv_done(&f->op.argv);
	strv_done(&f->op.env);
	strv_done(&f->op.unkeyed_env);
	strv_done(&f->op.devices);
	free(f->op.user);
	free(f->op.workdir);
	free(f->op.network);
}

static void test_process(void **state)
{
	struct fixture f;
	struct err err = ERR_INIT;

	begin(&f);
	f.op.user = str_dup("ann:staff");
	f.op.workdir = str_dup("/src");
	strv_add(&f.op.env, "A=b");
	strv_add(&f.op.unkeyed_env, "http_proxy=x");
	strv_add(&f.request.build_args, "BUILDKIT_SANDBOX_HOSTNAME=mine");
	assert_int_equal(run_spec_fill(&f.run, &err), 0);
	assert_string_equal(f.run.image.user, "ann:staff");
	assert_string_equal(f.run.image.working_dir, "/src");
	assert_int_equal(f.run.image.cmd.n, 3);
	assert_string_equal(f.run.spec.hostname, "mine");
	assert_int_equal(f.run.env.n, 3);
	assert_true(str_has_prefix(f.run.env.items[0], "PATH=/usr/local/sbin:"));
	assert_string_equal(f.run.env.items[1], "A=b");
	assert_string_equal(f.run.env.items[2], "http_proxy=x");
	end(&f);
	/* A PATH of the image's stands alone. */
	begin(&f);
	strv_add(&f.op.env, "PATH=/opt");
	assert_int_equal(run_spec_fill(&f.run, &err), 0);
	assert_int_equal(f.run.env.n, 1);
	assert_string_equal(f.run.spec.hostname, "buildkitsandbox");
	end(&f);
}

/* RUN --network over that of the build; "default" is the one below. */
static void test_networks(void **state)
{
	static const struct {
		const char *op, *request, *mode;
	} cases[] = {
		{NULL, NULL, "bridge"},	     {"default", NULL, "bridge"},
		{"default", "none", "none"}, {"none", "host", "none"},
		{"host", NULL, "host"},	     {"default", "default", "bridge"},
		{"default", "mine", "mine"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		struct err err = ERR_INIT;

		begin(&f);
		f.op.network = str_dup(cases[i].op);
		str_replace(&f.request.network, cases[i].request);
		assert_int_equal(run_spec_fill(&f.run, &err), 0);
		assert_string_equal(spec_network_mode(&f.run.spec), cases[i].mode);
		end(&f);
	}
}

static void test_volumes(void **state)
{
	static const struct {
		const char *text, *source, *target, *propagation;
		bool read_only;
		const char *error;
	} cases[] = {
		{"/a:/b", "/a", "/b", NULL, false, NULL},
		{"/a:/b:ro", "/a", "/b", NULL, true, NULL},
		{"/a:/b:rw,z,rslave", "/a", "/b", "rslave", false, NULL},
		{"/a", NULL, NULL, NULL, false,
		 "invalid volume specification: '/a': it takes absolute paths, "
		 "HOST:TARGET[:OPTIONS]"},
		{"a:/b", NULL, NULL, NULL, false,
		 "invalid volume specification: 'a:/b': it takes absolute paths, "
		 "HOST:TARGET[:OPTIONS]"},
		{"/a:b", NULL, NULL, NULL, false,
		 "invalid volume specification: '/a:b': it takes absolute paths, "
		 "HOST:TARGET[:OPTIONS]"},
		{"/a:/b:ro:x", NULL, NULL, NULL, false,
		 "invalid volume specification: '/a:/b:ro:x': it takes absolute paths, "
		 "HOST:TARGET[:OPTIONS]"},
		{"/a:/b:O", NULL, NULL, NULL, false, "invalid mode: O"},
		{"/a:/b:", NULL, NULL, NULL, false, "invalid mode: "},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		struct err err = ERR_INIT;
		int rc = 0;

		begin(&f);
		strv_add(&f.request.volumes, cases[i].text);
		rc = run_spec_fill(&f.run, &err);
		assert_int_equal(rc, cases[i].error ? -ERR_INVALID : 0);
		assert_string_equal(err.msg, cases[i].error ? cases[i].error : "");
		assert_int_equal(f.run.spec.n_mounts, !cases[i].error);
		if (!cases[i].error) {
			const struct mount_spec *m = &f.run.spec.mounts[0];

			assert_string_equal(m->source, cases[i].source);
			assert_string_equal(m->target, cases[i].target);
			assert_true(str_is_equal(m->propagation, cases[i].propagation));
			assert_int_equal(m->read_only, cases[i].read_only);
		}
		end(&f);
	}
}

static void test_devices_and_limits(void **state)
{
	struct fixture f;
	struct err err = ERR_INIT;
	struct ulimit_spec limits[] = {{.name = (char[]){"nofile"}, .soft = 10, .hard = 20},
				       {.name = (char[]){"nofile"}, .soft = 30, .hard = 40}};

	begin(&f);
	f.op.insecure = true;
	strv_add(&f.op.devices, "/dev/fuse");
	strv_add(&f.op.devices, "vendor.com/gpu=all");
	f.request.memory = 1 << 20;
	f.request.cpu_quota = 5000;
	f.request.ulimits = limits;
	f.request.n_ulimits = 2;
	assert_int_equal(run_spec_fill(&f.run, &err), 0);
	assert_true(f.run.spec.privileged);
	assert_int_equal(f.run.spec.n_devices, 1);
	assert_string_equal(f.run.spec.devices[0].host, "/dev/fuse");
	assert_int_equal(f.run.spec.n_requests, 1);
	assert_string_equal(f.run.spec.requests[0].ids.items[0], "vendor.com/gpu=all");
	assert_int_equal(f.run.spec.memory, 1 << 20);
	assert_int_equal(f.run.spec.cpu_quota, 5000);
	assert_int_equal(f.run.spec.n_ulimits, 1);
	assert_int_equal(f.run.spec.ulimits[0].soft, 30);
	f.request.ulimits = NULL;
	f.request.n_ulimits = 0;
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_devices_and_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
