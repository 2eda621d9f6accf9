/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker's "Config": what the container runs, from the image with the caller's wishes over it.
 */
#include "engine/describe.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/describe_writer.h"
#include "engine/spec.h"

#define HOST_NAME_SIZE 256
#define SHORT_ID_LEN   12

static void write_names(struct str *out, const struct container_spec *spec, const char *id)
{
	char host[HOST_NAME_SIZE] = "";
	cleanup_free char *short_id = str_ndup(id, SHORT_ID_LEN);
	const char *name = spec->hostname ? spec->hostname : short_id;

	if (!spec->hostname && (str_is_equal(spec->uts_mode, "host") ||
				strcmp(spec_network_mode(spec), "host") == 0)) {
		gethostname(host, sizeof(host) - 1);
		name = host;
	}
	member_text(out, "Hostname", name);
	member_text(out, "Domainname", spec->domainname);
}

/* Without --attach everything is attached, except by a detached run. */
static void write_streams(struct str *out, const struct container_spec *spec)
{
	unsigned attach = spec->attach ? spec->attach : ATTACH_STDOUT | ATTACH_STDERR;

	if (spec->open_stdin)
		attach |= ATTACH_STDIN;
	if (spec->detach)
		attach = 0;
	member_bool(out, "AttachStdin", attach & ATTACH_STDIN);
	member_bool(out, "AttachStdout", attach & ATTACH_STDOUT);
	member_bool(out, "AttachStderr", attach & ATTACH_STDERR);
}

static void write_stdin(struct str *out, const struct container_spec *spec)
{
	member_bool(out, "Tty", spec->tty);
	member_bool(out, "OpenStdin", spec->open_stdin);
	member_bool(out, "StdinOnce", spec->open_stdin && !spec->detach);
}

static void write_healthcheck(struct str *out, const struct image_healthcheck *check)
{
	const struct {
		const char *key;
		int64_t value;
	} numbers[] = {
		{"Interval", check->interval_ns},
		{"Timeout", check->timeout_ns},
		{"StartPeriod", check->start_period_ns},
		{"StartInterval", check->start_interval_ns},
		{"Retries", check->retries},
	};

	member_open(out, "Healthcheck", '{');
	if (check->test.n)
		member_list(out, "Test", &check->test, "null");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (numbers[i].value)
			member_int(out, numbers[i].key, numbers[i].value);
	str_add_char(out, '}');
}

static void write_volumes(struct str *out, const struct container_spec *spec,
			  const struct image_run *run)
{
	cleanup_strv struct strv targets = STRV_INIT;

	strv_add_all(&targets, &run->volumes);
	for (size_t i = 0; i < spec->n_mounts; i++) {
		const struct mount_spec *m = &spec->mounts[i];

		if (m->type == MOUNT_VOLUME && !m->source && m->from_option_v)
			strv_add(&targets, m->target);
	}
	member_set(out, "Volumes", &targets, "null");
}

static void write_labels(struct str *out, const struct image_run *run)
{
	member_open(out, "Labels", '{');
	strv_foreach (i, &run->label_keys)
		member_text(out, run->label_keys.items[i], run->label_values.items[i]);
	str_add_char(out, '}');
}

char *describe_config(const struct container_spec *spec, const struct image_run *run,
		      const char *id)
{
	struct str out = STR_INIT;

	str_add_char(&out, '{');
	write_names(&out, spec, id);
	member_text(&out, "User", run->user);
	write_streams(&out, spec);
	if (run->exposed_ports.n)
		member_set(&out, "ExposedPorts", &run->exposed_ports, "{}");
	write_stdin(&out, spec);
	member_list(&out, "Env", &run->env, "null");
	member_list(&out, "Cmd", &run->cmd, run->has_cmd ? "[]" : "null");
	if (run->healthcheck.is_set)
		write_healthcheck(&out, &run->healthcheck);
	if (spec->health.on_failure && strcmp(spec->health.on_failure, "none") != 0)
		member_text(&out, "HealthcheckOnFailureAction", spec->health.on_failure);
	if (run->args_escaped)
		member_bool(&out, "ArgsEscaped", true);
	member_text(&out, "Image", spec->image);
	write_volumes(&out, spec, run);
	member_text(&out, "WorkingDir", run->working_dir);
	member_list(&out, "Entrypoint", &run->entrypoint, run->has_entrypoint ? "[]" : "null");
	member_list(&out, "OnBuild", &run->on_build, "null");
	write_labels(&out, run);
	if (run->stop_signal)
		member_text(&out, "StopSignal", run->stop_signal);
	if (spec->has_stop_timeout)
		member_int(&out, "StopTimeout", spec->stop_timeout_s);
	if (run->shell.n)
		member_list(&out, "Shell", &run->shell, "null");
	str_add_char(&out, '}');
	return str_take(&out);
}
