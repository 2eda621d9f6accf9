/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_REQUEST_H
#define BUILD_REQUEST_H
/*
 * What somebody wants built, as plain data: the command line fills it from options, an API or a
 * compose file would fill the same. Strings are owned; NULL and empty vectors mean "not said".
 */
#include "base/str.h"
#include "engine/spec.h"

#include <stdbool.h>
#include <stdint.h>

enum build_call { BUILD_CALL_BUILD, BUILD_CALL_CHECK, BUILD_CALL_OUTLINE, BUILD_CALL_TARGETS };

/* "type=local,dest=x" of --output, --cache-from and --cache-to. */
struct build_attributes {
	char *type;
	struct strv keys, values; /* without type */
};

#define BUILD_SECRET_MAX (500 << 10) /* BuildKit's */

struct build_secret {
	char *id;
	char *source; /* file; NULL */
	char *env;    /* variable of ours; NULL */
};

struct build_ssh {
	char *id;	   /* "default" */
	struct strv paths; /* a socket, or key files; empty: SSH_AUTH_SOCK */
};

struct build_request {
	char *context;	  /* directory, "-", URL, git */
	char *file;	  /* -f as typed; "-" is stdin; NULL */
	char *ignorefile; /* --ignorefile; NULL */
	struct strv tags;
	struct strv build_args; /* "K=V"; a bare "K" was looked up already or left out */
	struct strv contexts;	/* "name=where" of --build-context */
	struct strv labels;	/* "K=V" */
	char *target;
	struct strv platforms;
	bool no_cache, pull;
	struct strv no_cache_filter;  /* stages */
	struct build_secret *secrets; /* owned arrays */
	size_t n_secrets;
	struct build_ssh *ssh;
	size_t n_ssh;
	struct build_attributes *outputs, *cache_from, *cache_to;
	size_t n_outputs, n_cache_from, n_cache_to;
	bool load;
	char *network; /* of RUN: "default", "none", "host", or a network; NULL */
	struct strv extra_hosts, allow, volumes; /* --add-host, --allow, -v */
	struct strv dns, dns_search, dns_options;
	int64_t shm_size;
	struct ulimit_spec *ulimits;
	size_t n_ulimits;
	char *cgroup_parent;
	int64_t memory, memory_swap, cpu_shares, cpu_period, cpu_quota;
	char *cpuset_cpus, *cpuset_mems;
	struct strv security_options, cap_add, cap_drop;
	bool squash, squash_all;
	char *iidfile, *metadata_file;
	int64_t jobs;	  /* steps at a time; 0: as many as there are processors, but 4 at least */
	char *epoch;	  /* SOURCE_DATE_EPOCH as the environment or --timestamp has it; NULL */
	bool error_shell; /* --on-error=shell */
	bool explain;
	enum build_call call;
};

/* Nothing said. */
void build_request_init(struct build_request *r);
/* Frees what it owns and leaves it empty; an empty one is fine. */
void build_request_done(struct build_request *r);
#define cleanup_build_request __attribute__((cleanup(build_request_done)))

/* Borrowed value of KEY; NULL. */
const char *build_attributes_get(const struct build_attributes *a, const char *key);
/* Whether KEY was said, and is "true" or "1". */
bool build_attributes_is_true(const struct build_attributes *a, const char *key);

#endif
