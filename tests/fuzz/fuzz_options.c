/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option values: the first byte chooses the syntax, the rest is the value. No input may crash a
 * parser, and what a spec was filled with must be freeable and checkable.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/option.h"
#include "cli/parse_device.h"
#include "cli/parse_endpoint.h"
#include "cli/parse_limit.h"
#include "cli/parse_mount.h"
#include "cli/parse_net.h"
#include "cli/parse_port.h"
#include "cli/quote.h"
#include "engine/spec.h"
#include "monitor/log_address.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int size_set(void *spec, const char *value, struct err *err)
{
	return num_parse_size(value, &((struct container_spec *)spec)->memory);
}

static int duration_set(void *spec, const char *value, struct err *err)
{
	return num_parse_duration(value, &((struct container_spec *)spec)->health.interval_ns);
}

static int int_set(void *spec, const char *value, struct err *err)
{
	return option_parse_int(value, &((struct container_spec *)spec)->cpu_shares, err);
}

static int volume_set(void *spec, const char *value, struct err *err)
{
	return mount_parse_volume(spec, value, err);
}

static int tmpfs_set(void *spec, const char *value, struct err *err)
{
	return mount_parse_tmpfs(spec, value, err);
}

static int device_set(void *spec, const char *value, struct err *err)
{
	return device_parse(spec, value, err);
}

static int publish_set(void *spec, const char *value, struct err *err)
{
	return publish_parse(spec, value, err);
}

static int expose_set(void *spec, const char *value, struct err *err)
{
	return expose_parse(spec, value, err);
}

static int restart_set(void *spec, const char *value, struct err *err)
{
	return spec_parse_restart(spec, value, err);
}

static int cpus_set(void *spec, const char *value, struct err *err)
{
	return cpus_option_set(&((struct container_spec *)spec)->nano_cpus, value, err);
}

static int rate_set(void *spec, const char *value, struct err *err)
{
	return rate_bps_option_set(&((struct container_spec *)spec)->device_read_bps, value, err);
}

static int host_set(void *spec, const char *value, struct err *err)
{
	return host_option_set(&((struct container_spec *)spec)->extra_hosts, value, err);
}

static int point_set(void *spec, const char *value, struct err *err)
{
	return clock_parse_point(value, CLOCK_NS_PER_S, &((struct container_spec *)spec)->memory,
				 err);
}

static int address_set(void *spec, const char *value, struct err *err)
{
	struct log_address ignored;

	return log_address_parse(value, &ignored, err);
}

/* A letter for each, so that seeds can be read: "m" for --mount, "v" for -v, ... */
static const struct {
	char letter;
	option_set *set;
} syntaxes[] = {
	{'m', mount_option_set},
	{'v', volume_set},
	{'t', tmpfs_set},
	{'s', size_set},
	{'d', duration_set},
	{'i', int_set},
	{'u', ulimit_option_set},
	{'D', device_set},
	{'p', publish_set},
	{'x', expose_set},
	{'r', restart_set},
	{'c', cpus_set},
	{'b', rate_set},
	{'n', network_option_set},
	{'h', host_set},
	{'R', device_rule_option_check},
	{'y', sysctl_option_check},
	{'g', gpus_option_set},
	{'l', link_option_check},
	{'w', point_set},
	{'a', address_set},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_spec struct container_spec spec = {};
	cleanup_free char *value = NULL;
	cleanup_free char *quoted = NULL;
	struct err err = ERR_INIT;

	if (size == 0)
		return 0;
	value = str_ndup((const char *)data + 1, size - 1);
	quoted = str_go_quote(value);
	spec_init(&spec);
	for (size_t i = 0; i < ARRAY_LEN(syntaxes); i++)
		if (syntaxes[i].letter == (char)data[0])
			syntaxes[i].set(&spec, value, &err);
	spec_validate(&spec, &err);
	return 0;
}
