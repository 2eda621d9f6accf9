/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a RUN and the options of the build to what the engine is asked for: the same specification
 * that the command line fills for `run`.
 */
#include "build/run_private.h"

#include "base/mem.h"

#include <stdio.h>

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* BuildKit's, so that nothing in an image tells where it was built. */
#define DEFAULT_HOSTNAME "buildkitsandbox"
#define HOSTNAME_ARG	 "BUILDKIT_SANDBOX_HOSTNAME="

/* ---- who it is ---- */

static const char *find_hostname(const struct build_request *r)
{
	const char *found = DEFAULT_HOSTNAME;

	strv_foreach (i, &r->build_args)
		if (str_has_prefix(r->build_args.items[i], HOSTNAME_ARG))
			found = r->build_args.items[i] + strlen(HOSTNAME_ARG);
	return *found ? found : DEFAULT_HOSTNAME;
}

static bool has_path(const struct strv *env)
{
	strv_foreach (i, env)
		if (str_has_prefix(env->items[i], "PATH="))
			return true;
	return false;
}

static void fill_process(struct build_run *run)
{
	const struct build_run_op *op = run->input.op;

	strv_add_all(&run->image.cmd, &op->argv);
	str_replace(&run->image.user, op->user);
	str_replace(&run->image.working_dir, op->workdir);
	/* Nothing of the builder's own environment. */
	if (!has_path(&op->env))
		strv_add(&run->env, DEFAULT_PATH);
	strv_add_all(&run->env, &op->env);
	strv_add_all(&run->env, &op->unkeyed_env);
}

/* ---- networks ---- */

/* "default" of RUN is what the whole build has. */
static const char *choose_network(const struct build_run *run)
{
	const char *network = run->input.op->network;

	if (!network || strcmp(network, "default") == 0)
		network = run->input.request->network;
	return !network || strcmp(network, "default") == 0 ? NULL : network;
}

static void fill_network(struct build_run *run)
{
	const struct build_request *r = run->input.request;
	const char *network = choose_network(run);
	struct endpoint_request endpoint = {};

	if (network) {
		endpoint.network = str_dup(network);
		spec_add_network(&run->spec, &endpoint);
	}
	strv_add_all(&run->spec.extra_hosts, &r->extra_hosts);
	strv_add_all(&run->spec.dns, &r->dns);
	strv_add_all(&run->spec.dns_search, &r->dns_search);
	strv_add_all(&run->spec.dns_options, &r->dns_options);
}

/* ---- limits ---- */

static void fill_limits(const struct build_request *r, struct container_spec *spec)
{
	spec->shm_size = r->shm_size;
	spec->memory = r->memory;
	spec->memory_swap = r->memory_swap;
	spec->cpu_shares = r->cpu_shares;
	spec->cpu_period = r->cpu_period;
	spec->cpu_quota = r->cpu_quota;
	str_replace(&spec->cpuset_cpus, r->cpuset_cpus);
	str_replace(&spec->cpuset_mems, r->cpuset_mems);
	str_replace(&spec->cgroup_parent, r->cgroup_parent);
	for (size_t i = 0; i < r->n_ulimits; i++) {
		struct ulimit_spec limit = {.name = str_dup(r->ulimits[i].name),
					    .soft = r->ulimits[i].soft,
					    .hard = r->ulimits[i].hard};

		spec_set_ulimit(spec, &limit);
	}
}

static void fill_security(struct build_run *run)
{
	const struct build_request *r = run->input.request;

	run->spec.privileged = run->input.op->insecure;
	strv_add_all(&run->spec.security_options, &r->security_options);
	strv_add_all(&run->spec.cap_add, &r->cap_add);
	strv_add_all(&run->spec.cap_drop, &r->cap_drop);
}

/* ---- mounts and devices of the host ---- */

/* Words of the third field of build -v. Those of SELinux mean nothing here. */
static bool set_modes(struct mount_spec *m, const char *modes)
{
	static const char *const propagations[] = {"private", "rprivate", "slave",
						   "rslave",  "shared",	  "rshared"};
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, modes, ',');
	strv_foreach (i, &words) {
		const char *word = words.items[i];
		bool known = strcmp(word, "rw") == 0 || strcmp(word, "z") == 0 ||
			     strcmp(word, "Z") == 0;

		if (strcmp(word, "ro") == 0)
			known = m->read_only = true;
		for (size_t k = 0; k < ARRAY_LEN(propagations); k++)
			if (strcmp(word, propagations[k]) == 0) {
				str_replace(&m->propagation, word);
				known = true;
			}
		if (!known)
			return false;
	}
	return true;
}

/* "HOST:TARGET[:OPTIONS]" of build -v. */
static int add_volume(struct container_spec *spec, const char *text, struct err *err)
{
	cleanup_with(mount_spec_done) struct mount_spec m = {.type = MOUNT_BIND,
							     .from_option_v = true};
	cleanup_strv struct strv parts = STRV_INIT;

	strv_split(&parts, text, ':');
	if (parts.n < 2 || parts.n > 3 || *parts.items[0] != '/' || *parts.items[1] != '/')
		return err_set(err, ERR_INVALID,
			       "invalid volume specification: '%s': it takes absolute paths, "
			       "HOST:TARGET[:OPTIONS]",
			       text);
	m.source = str_dup(parts.items[0]);
	m.target = str_dup(parts.items[1]);
	m.mode = parts.n == 3 ? str_dup(parts.items[2]) : NULL;
	if (m.mode && !set_modes(&m, m.mode))
		return err_set(err, ERR_INVALID, "invalid mode: %s", m.mode);
	spec_add_mount(spec, &m);
	return 0;
}

/* "VENDOR/CLASS=NAME" is one of CDI, a path one of the host's, as with `run --device`. */
static void add_device(struct container_spec *spec, const char *name)
{
	struct device_request request = {};
	struct device_spec device = {};

	if (*name == '/') {
		device.host = str_dup(name);
		device.container = str_dup(name);
		device.perms = str_dup("rwm");
		spec_add_device(spec, &device);
		return;
	}
	request.driver = str_dup("cdi");
	strv_add(&request.ids, name);
	spec_add_request(spec, &request);
}

int run_spec_fill(struct build_run *run, struct err *err)
{
	const struct build_request *r = run->input.request;
	int rc = 0;

	spec_init(&run->spec);
	run->spec.hostname = str_dup(find_hostname(r));
	fill_process(run);
	fill_network(run);
	fill_limits(r, &run->spec);
	fill_security(run);
	strv_foreach (i, &run->input.op->devices)
		add_device(&run->spec, run->input.op->devices.items[i]);
	strv_foreach (i, &r->volumes) {
		rc = add_volume(&run->spec, r->volumes.items[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
