/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From specification and image to what will run: whose command, whose environment, which
 * namespaces, mounts in which order, and kernel parameters that are refused. Each row is a change
 * to an empty specification and what becomes of it.
 */
#include "base/err.h"
#include "base/mem.h"
#include "engine/configure.h"
#include "engine/engine.h"
#include "oci/runtime_default.h"

#include <sched.h>

#include "../unit.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void split(struct strv *v, const char *words)
{
	if (words && *words)
		strv_split(v, words, '|');
}

/* ---- the command ---- */

static const struct {
	const char *image_entrypoint, *image_cmd; /* separated by "|" */
	const char *entrypoint;			  /* NULL: not said */
	const char *command;
	const char *want_entrypoint, *want_cmd; /* want_cmd NULL: refused */
} commands[] = {
	{"", "sh", NULL, "", "", "sh"},
	{"", "sh|-l", NULL, "ls|-a", "", "ls|-a"},
	{"/e|-x", "a|b", NULL, "", "/e|-x", "a|b"},
	{"/e|-x", "a|b", NULL, "c", "/e|-x", "c"},
	/* --entrypoint takes the image's command away with its entrypoint. */
	{"/e|-x", "a|b", "/f", "", "/f", ""},
	{"/e|-x", "a|b", "/f", "c|d", "/f", "c|d"},
	{"/e|-x", "a|b", "/f with blanks", "", "/f with blanks", ""},
	{"/e|-x", "a|b", "", "c", "", "c"},
	{"/e|-x", "a|b", "", "", "", NULL},
	{"", "", NULL, "", "", NULL},
	{"/e", "", NULL, "", "/e", ""},
};

static void whose_command(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		cleanup_spec struct container_spec spec = {};
		cleanup_image_run struct image_run image = {};
		cleanup_image_run struct image_run run = {};
		cleanup_free char *entrypoint = NULL;
		cleanup_free char *cmd = NULL;
		struct err err = ERR_INIT;
		int rc = 0;

		spec_init(&spec);
		split(&image.entrypoint, commands[i].image_entrypoint);
		split(&image.cmd, commands[i].image_cmd);
		split(&spec.command, commands[i].command);
		spec.entrypoint = str_dup(commands[i].entrypoint);
		rc = configure_run(&spec, &image, &run, &err);
		if (!commands[i].want_cmd) {
			assert_int_equal(rc, -ERR_INVALID);
			assert_string_equal(err.msg, "no command specified");
			continue;
		}
		assert_int_equal(rc, 0);
		entrypoint = strv_join(&run.entrypoint, "|");
		cmd = strv_join(&run.cmd, "|");
		if (strcmp(entrypoint, commands[i].want_entrypoint) != 0 ||
		    strcmp(cmd, commands[i].want_cmd) != 0)
			fail_msg("row %zu: got [%s] [%s]", i, entrypoint, cmd);
	}
}

/* ---- a configuration of everything, for one spec ---- */

struct made {
	struct container_spec spec;
	struct image_run image, run;
	struct oci_runtime_config config;
	struct strv warnings;
	struct err err;
	int rc;
};

static void made_init(struct made *m)
{
	*m = (struct made){};
	spec_init(&m->spec);
	strv_add(&m->spec.command, "true");
}

static void made_done(struct made *m)
{
	spec_done(&m->spec);
	image_run_done(&m->image);
	image_run_done(&m->run);
	oci_config_done(&m->config);
	strv_done(&m->warnings);
}
#define cleanup_made __attribute__((cleanup(made_done)))

static void configure(struct made *m)
{
	static char root[] = "/state";
	struct engine engine = {.root = root};
	cleanup_mount_points struct mount_points points = MOUNT_POINTS_INIT;

	m->rc = configure_run(&m->spec, &m->image, &m->run, &m->err);
	if (m->rc == 0)
		m->rc = mount_points_resolve(&engine, &m->spec, &m->run, true, &points, &m->err);
	if (m->rc == 0)
		m->rc = configure_oci(&m->spec, &m->run, &points, ID, "/state/c", &m->config,
				      &m->warnings, &m->err);
}

/* ---- the environment ---- */

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const struct {
	const char *image, *env, *want;
	bool tty;
} environments[] = {
	{"", "", DEFAULT_PATH "|HOSTNAME=0123456789ab", false},
	{"", "", DEFAULT_PATH "|HOSTNAME=0123456789ab|TERM=xterm", true},
	{"A=1|PATH=/bin", "", "PATH=/bin|HOSTNAME=0123456789ab|A=1", false},
	{"A=1|B=2", "A=3", DEFAULT_PATH "|HOSTNAME=0123456789ab|A=3|B=2", false},
	{"A=1", "C=x=y|A=", DEFAULT_PATH "|HOSTNAME=0123456789ab|C=x=y|A=", false},
	/* The caller's come first; of those that are repeated the last one counts. */
	{"A=1|B=2", "D=1|A=3|D=2", DEFAULT_PATH "|HOSTNAME=0123456789ab|D=2|A=3|B=2", false},
	/* A bare name that the host does not have takes the image's away, and only that one. */
	{"A=1|AB=2", "A", DEFAULT_PATH "|HOSTNAME=0123456789ab|AB=2", false},
	{"", "PATH=/x|TERM=dumb|HOSTNAME=h", "PATH=/x|TERM=dumb|HOSTNAME=h", true},
};

static void whose_environment(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(environments); i++) {
		cleanup_made struct made m;
		cleanup_free char *got = NULL;

		made_init(&m);
		m.spec.tty = environments[i].tty;
		split(&m.image.env, environments[i].image);
		split(&m.spec.env, environments[i].env);
		configure(&m);
		assert_int_equal(m.rc, 0);
		got = strv_join(&m.config.env, "|");
		if (strcmp(got, environments[i].want) != 0)
			fail_msg("row %zu: got %s", i, got);
	}
}

static void image_and_options(void **state)
{
	cleanup_made struct made m;

	made_init(&m);
	m.image.user = str_dup("nobody");
	m.image.working_dir = str_dup("/srv");
	m.image.stop_signal = str_dup("SIGINT");
	split(&m.spec.labels, "a=1|b|c=x=y");
	m.spec.user = str_dup("5:6");
	split(&m.spec.annotations, "io.tare.user=root|mine=yes|bare");
	configure(&m);
	assert_int_equal(m.rc, 0);
	assert_string_equal(m.config.cwd, "/srv");
	assert_string_equal(m.config.cgroup, "tare/" ID);
	assert_string_equal(m.config.hostname, "0123456789ab");
	assert_int_equal(m.run.label_keys.n, 3);
	assert_string_equal(m.run.label_values.items[1], "");
	assert_string_equal(m.run.label_values.items[2], "x=y");
	/* The engine's own annotations are out of the user's reach. */
	assert_string_equal(oci_annotation(&m.config, OCI_NOTE_USER), "5:6");
	assert_string_equal(oci_annotation(&m.config, OCI_NOTE_STOP_SIGNAL), "SIGINT");
	assert_string_equal(oci_annotation(&m.config, "mine"), "yes");
	assert_string_equal(oci_annotation(&m.config, "bare"), "");
	assert_null(oci_annotation(&m.config, OCI_NOTE_AUTO_REMOVE));
}

/* ---- namespaces ---- */

/* One letter for each new namespace, in small for one that is joined, none for the host's. */
static void format_namespaces(const struct oci_runtime_config *config, char ret[8])
{
	static const struct {
		uint64_t flag;
		char letter;
	} kinds[] = {{CLONE_NEWNS, 'M'},  {CLONE_NEWPID, 'P'}, {CLONE_NEWUTS, 'U'},
		     {CLONE_NEWIPC, 'I'}, {CLONE_NEWNET, 'N'}, {CLONE_NEWCGROUP, 'C'}};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct oci_namespace *ns = oci_find_namespace(config, kinds[i].flag);

		if (ns)
			ret[n++] = (char)(ns->path ? kinds[i].letter | 0x20 : kinds[i].letter);
	}
	ret[n] = '\0';
}

static const struct {
	const char *pid, *uts, *ipc, *net, *cgroup, *want;
} namespaces[] = {
	{NULL, NULL, NULL, NULL, NULL, "MPUINC"},
	{"host", NULL, NULL, NULL, NULL, "MUINC"},
	{NULL, "host", NULL, NULL, NULL, "MPINC"},
	{NULL, NULL, "host", NULL, NULL, "MPUNC"},
	{NULL, NULL, NULL, "host", NULL, "MPUIC"},
	{NULL, NULL, NULL, NULL, "host", "MPUIN"},
	{"host", "host", "host", "host", "host", "M"},
	{"container:x", NULL, "container:x", "container:x", NULL, "MpUinC"},
	{"private", "private", "private", "none", "private", "MPUINC"},
	{NULL, NULL, "shareable", "none", NULL, "MPUINC"},
};

static void which_namespaces(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		cleanup_made struct made m;
		char got[8];

		made_init(&m);
		m.spec.pid_mode = str_dup(namespaces[i].pid);
		m.spec.uts_mode = str_dup(namespaces[i].uts);
		m.spec.ipc_mode = str_dup(namespaces[i].ipc);
		m.spec.cgroupns_mode = str_dup(namespaces[i].cgroup);
		if (namespaces[i].net)
			spec_add_network(&m.spec, &(struct endpoint_request){
							  .network = str_dup(namespaces[i].net)});
		configure(&m);
		assert_int_equal(m.rc, 0);
		format_namespaces(&m.config, got);
		if (strcmp(got, namespaces[i].want) != 0)
			fail_msg("row %zu: got %s, want %s", i, got, namespaces[i].want);
	}
}

/* ---- mounts ---- */

#define BEFORE "/proc /dev /dev/pts /sys /sys/fs/cgroup /dev/mqueue /dev/shm "
#define NAMES  "/etc/resolv.conf /etc/hostname /etc/hosts"
#define SORTED "/etc/hostname /etc/hosts /etc/resolv.conf"

static const struct {
	const char *targets; /* tmpfs, in the order of the command line */
	const char *ipc, *want;
} mounts[] = {
	{"", NULL, BEFORE NAMES},
	/* What lies below another mount comes after it, however it was typed. */
	{"/a/b/c|/a|/a/b", NULL, BEFORE "/a /a/b /a/b/c " SORTED},
	{"/a/b|/a-b|/a", NULL, BEFORE "/a /a-b /a/b " SORTED},
	/* The user's own takes the place of a default one. */
	{"/dev/shm", NULL, "/proc /dev /dev/pts /sys /sys/fs/cgroup /dev/mqueue /dev/shm " SORTED},
	{"/etc/hosts", NULL, BEFORE SORTED},
	/* Its names are there also when /etc is a volume. */
	{"/etc", NULL, BEFORE "/etc " SORTED},
	{"", "none", "/proc /dev /dev/pts /sys /sys/fs/cgroup " NAMES},
	{"", "host", "/proc /dev /dev/pts /sys /sys/fs/cgroup /dev/mqueue /dev/shm " NAMES},
};

static void mounts_in_order(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		cleanup_made struct made m;
		cleanup_strv struct strv targets = STRV_INIT;
		cleanup_strv struct strv order = STRV_INIT;
		cleanup_free char *got = NULL;

		made_init(&m);
		m.spec.ipc_mode = str_dup(mounts[i].ipc);
		split(&targets, mounts[i].targets);
		for (size_t k = 0; k < targets.n; k++) {
			struct mount_spec t = {.type = MOUNT_TMPFS,
					       .target = str_dup(targets.items[k]),
					       .from_tmpfs = true};

			spec_add_mount(&m.spec, &t);
		}
		configure(&m);
		assert_int_equal(m.rc, 0);
		for (size_t k = 0; k < m.config.n_mounts; k++)
			strv_add(&order, m.config.mounts[k].destination);
		got = strv_join(&order, " ");
		if (strcmp(got, mounts[i].want) != 0)
			fail_msg("row %zu: got %s", i, got);
	}
}

static const struct oci_mount *last_mount(const struct made *m)
{
	return &m->config.mounts[m->config.n_mounts - 1];
}

static void check_mount(struct mount_spec *spec, const char *want_options, const char *want_flag)
{
	cleanup_made struct made m;
	cleanup_free char *options = NULL;

	made_init(&m);
	spec_add_mount(&m.spec, spec);
	configure(&m);
	assert_int_equal(m.rc, 0);
	options = strv_join(&last_mount(&m)->options, ",");
	assert_string_equal(options, want_options);
	assert_string_equal(last_mount(&m)->flag, want_flag);
}

#define BIND .type = MOUNT_BIND, .source = str_dup("/"), .target = str_dup("/zz")

static void options_of_mounts(void **state)
{
	check_mount(&(struct mount_spec){BIND, .from_option_v = true}, "rbind,rprivate", "-v");
	check_mount(&(struct mount_spec){BIND, .read_only = true}, "rbind,rro,rprivate", "--mount");
	check_mount(&(struct mount_spec){BIND, .read_only = true,
					 .recursion = MOUNT_RECURSIVE_WRITABLE},
		    "rbind,ro,rprivate", "--mount");
	check_mount(&(struct mount_spec){BIND, .propagation = str_dup("rslave"),
					 .recursion = MOUNT_RECURSIVE_DISABLED},
		    "bind,rslave", "--mount");
	check_mount(&(struct mount_spec){.type = MOUNT_TMPFS,
					 .target = str_dup("/zz"),
					 .tmpfs_size = 4096,
					 .tmpfs_mode = 01777},
		    "nosuid,nodev,noexec,size=4096,mode=1777", "--mount");
}

static void sources_that_cannot_be(void **state)
{
	cleanup_made struct made m;
	struct mount_spec missing = {.type = MOUNT_BIND,
				     .source = str_dup("/nonexistent/tare"),
				     .target = str_dup("/x")};

	made_init(&m);
	spec_add_mount(&m.spec, &missing);
	configure(&m);
	assert_int_equal(m.rc, -ERR_INVALID);
	assert_string_equal(m.err.msg,
			    "invalid mount config for type \"bind\": bind source path does "
			    "not exist: /nonexistent/tare");
}

/* ---- kernel parameters ---- */

static const struct {
	const char *sysctl;
	const char *net, *ipc; /* modes */
	const char *want;      /* part of the message; NULL when it is set */
} sysctls[] = {
	{"net.ipv4.ip_forward=1", NULL, NULL, NULL},
	{"net.ipv4.conf.eth0/1.forwarding=1", NULL, NULL, NULL},
	{"fs.mqueue.msg_max=5", NULL, NULL, NULL},
	{"kernel.shmmax=65536", NULL, NULL, NULL},
	{"kernel.sem=1 2 3 4", NULL, NULL, NULL},
	{"net.ipv4.ip_forward=1", "host", NULL, "not in a separate kernel namespace"},
	{"net.ipv4.ip_forward=1", "container:x", NULL, "not in a separate kernel namespace"},
	{"kernel.shmmax=1", NULL, "host", "not in a separate kernel namespace"},
	{"kernel.shmmax=1", NULL, "container:x", "not in a separate kernel namespace"},
	{"kernel.core_pattern=|/x", NULL, NULL, "not in a separate kernel namespace"},
	{"kernel.shmmax2=1", NULL, NULL, "not in a separate kernel namespace"},
	{"vm.overcommit_memory=1", NULL, NULL, "not in a separate kernel namespace"},
	{"kernel/shmmax=1", NULL, NULL, "not in a separate kernel namespace"},
	{"network=1", NULL, NULL, "not in a separate kernel namespace"},
	{"net.ipv4.ip_forward", NULL, NULL, "invalid argument"},
	{"=1", NULL, NULL, "invalid argument"},
	{"", NULL, NULL, "invalid argument"},
	/* CVE-2022-0811 and its kin: another parameter by way of an allowed one. */
	{"net.ipv4/../../kernel/core_pattern=|/x", NULL, NULL, "invalid argument"},
	{"net...kernel.core_pattern=x", NULL, NULL, "invalid argument"},
	{"kernel.shm_rmid_forced=1+kernel.core_pattern=|/x", NULL, NULL,
	 NULL}, /* all of it a value */
	{"net.x\nkernel.core_pattern=1", NULL, NULL, "invalid argument"},
	{"net.ipv4.ip_forward =1", NULL, NULL, "invalid argument"},
	{"net.\xc2\xa0=1", NULL, NULL, "invalid argument"},
};

static void kernel_parameters(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sysctls); i++) {
		cleanup_made struct made m;
		const char *eq = strchr(sysctls[i].sysctl, '=');

		made_init(&m);
		strv_add(&m.spec.sysctls, sysctls[i].sysctl);
		m.spec.ipc_mode = str_dup(sysctls[i].ipc);
		if (sysctls[i].net)
			spec_add_network(&m.spec, &(struct endpoint_request){
							  .network = str_dup(sysctls[i].net)});
		configure(&m);
		if (sysctls[i].want) {
			if (m.rc != -ERR_INVALID || !strstr(m.err.msg, sysctls[i].want))
				fail_msg("%s: %d %s", sysctls[i].sysctl, m.rc, m.err.msg);
			continue;
		}
		assert_int_equal(m.rc, 0);
		assert_string_equal(m.config.sysctls[m.config.n_sysctls - 1].value, eq + 1);
	}
}

/* ---- privileges ---- */

static void security(void **state)
{
	cleanup_made struct made plain;
	cleanup_made struct made open;
	cleanup_made struct made bad;

	made_init(&plain);
	split(&plain.spec.security_options, "no-new-privileges:true");
	configure(&plain);
	assert_int_equal(plain.rc, 0);
	assert_true(plain.config.no_new_privs);
	assert_true(strv_has(&plain.config.masked_paths, "/proc/kcore"));
	assert_true(strv_has(&plain.config.readonly_paths, "/proc/sys"));
	assert_string_equal(oci_annotation(&plain.config, OCI_NOTE_SECCOMP), "default");

	made_init(&open);
	split(&open.spec.security_options,
	      "no-new-privileges=false|seccomp=unconfined|systempaths=unconfined");
	configure(&open);
	assert_int_equal(open.rc, 0);
	assert_false(open.config.no_new_privs);
	assert_int_equal(open.config.masked_paths.n + open.config.readonly_paths.n, 0);
	assert_string_equal(oci_annotation(&open.config, OCI_NOTE_SECCOMP), "unconfined");

	made_init(&bad);
	strv_add(&bad.spec.cap_add, "NOT_A_CAP");
	configure(&bad);
	assert_true(bad.rc < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_command),
		cmocka_unit_test(whose_environment),
		cmocka_unit_test(image_and_options),
		cmocka_unit_test(which_namespaces),
		cmocka_unit_test(mounts_in_order),
		cmocka_unit_test(options_of_mounts),
		cmocka_unit_test(sources_that_cannot_be),
		cmocka_unit_test(kernel_parameters),
		cmocka_unit_test(security),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
