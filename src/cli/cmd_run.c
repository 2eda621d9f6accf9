/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run and create: from collected options to a checked container specification. docker reads some
 * texts while it parses flags (a bad one is a usage error) and others only afterwards; the second
 * kind is here, one phase for each, in docker's order.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/option.h"
#include "cli/parse_device.h"
#include "cli/parse_env.h"
#include "cli/parse_limit.h"
#include "cli/parse_mount.h"
#include "cli/parse_port.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PROFILE_MAX (1 << 20)

#define fail(...) err_set(err, ERR_INVALID, __VA_ARGS__)

void run_options_init(union verb_options *o)
{
	spec_init(&o->run.spec);
}

void run_options_done(union verb_options *o)
{
	struct run_request *r = &o->run;
	struct strv *const vectors[] = {
		&r->env,	  &r->env_files, &r->labels, &r->label_files, &r->volumes,
		&r->tmpfs,	  &r->publish,	 &r->expose, &r->devices,     &r->security_options,
		&r->unused.lists,
	};

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		strv_done(vectors[i]);
	endpoint_options_done(&r->endpoint);
	free(r->restart);
	free(r->pull);
	free(r->unused.text);
	spec_done(&r->spec);
	*r = (struct run_request){};
}

static int finish_image(struct run_request *r, const struct strv *args, struct err *err)
{
	str_replace(&r->spec.image, args->items[0]);
	for (size_t i = 1; i < args->n; i++)
		strv_add(&r->spec.command, args->items[i]);
	if (r->dry_run && r->explain == EXPLAIN_NO)
		return fail("--dry-run needs --explain");
	return 0;
}

static int check_volumes(struct run_request *r, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->volumes.n; i++)
		rc = mount_check_volume(r->volumes.items[i], err);
	return rc;
}

static int finish_mounts(struct run_request *r, struct err *err)
{
	cleanup_strv struct strv seen = STRV_INIT;
	int rc = 0;

	/* The same words twice are one volume. */
	for (size_t i = 0; rc == 0 && i < r->volumes.n; i++) {
		if (strv_has(&seen, r->volumes.items[i]))
			continue;
		strv_add(&seen, r->volumes.items[i]);
		rc = mount_parse_volume(&r->spec, r->volumes.items[i], err);
	}
	for (size_t i = 0; rc == 0 && i < r->tmpfs.n; i++)
		rc = mount_parse_tmpfs(&r->spec, r->tmpfs.items[i], err);
	return rc;
}

static int finish_env(struct run_request *r, struct err *err)
{
	size_t n_from_files = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->env_files.n; i++)
		rc = env_read_file(&r->spec.env, r->env_files.items[i], err);
	for (size_t i = 0; rc == 0 && i < r->label_files.n; i++)
		rc = label_read_file(&r->spec.labels, r->label_files.items[i], err);
	if (rc < 0)
		return rc;
	n_from_files = r->spec.env.n;
	strv_foreach (i, &r->env)
		env_set(&r->spec.env, n_from_files, r->env.items[i]);
	strv_add_all(&r->spec.labels, &r->labels);
	return 0;
}

static int finish_network(struct run_request *r, struct err *err)
{
	int rc = endpoint_options_apply(&r->spec, &r->endpoint, err);

	for (size_t i = 0; rc == 0 && i < r->publish.n; i++)
		rc = publish_parse(&r->spec, r->publish.items[i], err);
	for (size_t i = 0; rc == 0 && i < r->expose.n; i++)
		rc = expose_parse(&r->spec, r->expose.items[i], err);
	return rc;
}

static int finish_devices(struct run_request *r, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->devices.n; i++)
		if (!cdi_device_add(&r->spec, r->devices.items[i]))
			rc = device_parse(&r->spec, r->devices.items[i], err);
	return rc;
}

static int finish_policies(struct run_request *r, struct err *err)
{
	static const char *const pulls[] = {
		[PULL_MISSING] = "missing",
		[PULL_ALWAYS] = "always",
		[PULL_NEVER] = "never",
	};
	const char *pull = r->pull && r->pull[0] ? r->pull : "missing";

	if (r->restart && spec_parse_restart(&r->spec, r->restart, err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(pulls); i++) {
		if (strcmp(pull, pulls[i]) == 0) {
			r->spec.pull = (enum pull_policy)i;
			return 0;
		}
	}
	return fail(
		"invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"",
		pull);
}

/* Replaces "seccomp=FILE" by the file's content, so that the specification needs no file later. */
static int read_profile(struct strv *out, const char *path, struct err *err)
{
	/* lint: named by the user of the command line, on the host */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_str struct str text = STR_INIT;
	int rc = 0;

	if (fd < 0)
		err_sys(err, errno, "open %s", path);
	else
		rc = fd_read_all(fd, PROFILE_MAX, &text);
	if (rc < 0)
		err_sys(err, -rc, "read %s", path);
	if (fd < 0 || rc < 0) {
		err->code = ERR_INVALID;
		return err_wrap(err, "opening seccomp profile (%s) failed", path);
	}
	strv_addf(out, "seccomp=%s", str_get(&text));
	return 0;
}

static int finish_security_option(struct strv *out, const char *text, struct err *err)
{
	size_t len = strcspn(text, "=");

	/* "label:disable" is docker's old form with a colon. */
	if (!text[len])
		len = strcspn(text, ":");
	if (strcmp(text, "no-new-privileges") == 0) {
		strv_add(out, text);
		return 0;
	}
	if (!text[len])
		return fail("Invalid --security-opt: \"%s\"", text);
	if (len == 7 && memcmp(text, "seccomp", 7) == 0 && strcmp(text + 8, "unconfined") != 0 &&
	    strcmp(text + 8, "builtin") != 0)
		return read_profile(out, text + 8, err);
	strv_addf(out, "%.*s=%s", (int)len, text, text + len + 1);
	return 0;
}

int security_options_finish(const struct strv *typed, struct strv *ret, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < typed->n; i++)
		rc = finish_security_option(ret, typed->items[i], err);
	return rc;
}

static int finish_security(struct run_request *r, struct err *err)
{
	return security_options_finish(&r->security_options, &r->spec.security_options, err);
}

int run_request_finish(struct run_request *r, const struct strv *args, struct err *err)
{
	static int (*const phases[])(struct run_request *, struct err *) = {
		check_volumes, finish_network,	finish_devices,
		finish_env,    finish_security, finish_policies,
	};
	int rc = finish_image(r, args, err);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(phases); i++)
		rc = phases[i](r, err);
	if (rc == 0)
		rc = spec_validate_usage(&r->spec, err);
	r->is_usable = rc == 0;
	if (rc == 0)
		rc = finish_mounts(r, err);
	if (rc == 0)
		rc = spec_validate(&r->spec, err);
	/* lint: named by the user of the command line, on the host */
	if (rc == 0 && r->spec.cidfile && r->spec.cidfile[0] && access(r->spec.cidfile, F_OK) == 0)
		rc = fail("container ID file found, make sure the other container isn't running or "
			  "delete %s",
			  r->spec.cidfile);
	return rc;
}

int exec_collect_env(const struct exec_options *o, struct strv *ret, struct err *err)
{
	strv_foreach (i, &o->env_files) {
		int rc = env_read_file(ret, o->env_files.items[i], err);

		if (rc < 0)
			return rc;
	}
	strv_foreach (i, &o->env)
		env_add(ret, o->env.items[i]);
	return 0;
}
