/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_PLAN_H
#define ENGINE_NETWORK_PLAN_H
/*
 * A container's start as far as networks go: what was asked for becomes endpoints with addresses,
 * their files, and the steps that make the links; and all of it is undone at the end.
 *
 * Order: networks are found, addresses leased and endpoint files written under the shared lock of
 * networks (engine/network.h), so that no network goes away below. Whoever dies from here on leaves
 * leases and files that the next command takes away with the rest of the run.
 */
#include "engine/engine.h"
#include "engine/publish.h"
#include "network/live.h"
#include "runtime/container_plan.h"

struct monitor;
struct name_service;
struct oci_runtime_config;
struct port_list;
struct publish;

/* Who is started. All borrowed. */
struct network_subject {
	const char *id, *name;
	const char *mode;     /* network_mode of its row */
	const char *requests; /* networks of its row; "" for nothing but what MODE says */
	const struct oci_runtime_config *config;
	int state_dir, container_dir;  /* descriptors; -1 for a script */
	const char *dir;	       /* of a script */
	const struct port_list *ports; /* to be published */
	const struct strv *exposed;    /* "80/tcp" */
	bool is_new;		       /* its files were written just now */
	bool has_no_server;	       /* nobody is there to keep a name server for it */
};

/* One start's networks. Its plan owns them: what is explained when all is over borrows from them.
 */
struct start_networks {
	struct engine *engine;
	struct network_subject subject;
	size_t n_networks;
	struct network *networks;	   /* owned, one for each endpoint of LIVE */
	struct endpoint_request *requests; /* owned, the same */
	size_t n_requests;
	struct live_network live;
	struct name_service *names; /* owned; NULL without names */
	struct publish *publish;    /* the plan's, once it has been placed; NULL without ports */
	struct strv env;	    /* variables of links */
	bool is_script;
	bool is_placed;
};

/* What a container of MODE that asked TEXT of networks (its row says both) is to be in: RET is the
 * caller's (endpoint_requests_free). 0 or -code. */
int network_requests_read(const char *mode, const char *text, struct endpoint_request **ret,
			  size_t *ret_n, struct err *err);

/* The names by which lists show the networks of such a container, sorted: "bridge", "host", "none";
 * none for one that shares another's. A network that was asked for by its id is shown by that. */
void network_names_read(const char *mode, const char *text, struct strv *ret);

/* An empty one, which is freed with PLAN. */
struct start_networks *start_networks_new(struct plan *plan);
/* Finds the networks, takes addresses, writes the files. Containers without a network namespace of
 * their own, and those of "none", need nothing. Nothing is left when it fails. 0 or -code. */
int start_networks_prepare(struct start_networks *s, struct engine *engine,
			   const struct network_subject *subject, struct err *err);
/* Adds the HOST steps that make on the host what the networks lack: bridges, firewall. */
int start_networks_bring_up(struct start_networks *s, struct plan *plan, struct err *err);
/* Has PLACE add the links. S is borrowed until the plan has run. */
void start_networks_place(struct start_networks *s, struct runtime_place *place);
/* The plan has run: what must outlive it is MONITOR's, for its start callback. 0 or -code. */
int start_networks_keep(struct start_networks *s, struct monitor *monitor, struct err *err);
/* Before the TEARDOWN steps: the container may have been connected and disconnected since. */
void start_networks_refresh(struct start_networks *s);
/* Appends to TEXT, for the journal, that the container is in its networks now ("connect"), or not
 * any more ("disconnect"). */
void start_networks_tell(const struct start_networks *s, const char *action, struct str *text);
/* Adds the TEARDOWN steps. */
void start_networks_plan_end(struct start_networks *s, struct plan *plan);

/* Gives back what container ID has of networks, which nobody watches any more: its links down,
 * addresses, files. IS_CUT_SHORT: it may have died before it wrote down what it took. Failures are
 * only logged. */
void engine_release_networks(struct engine *engine, const char *id, bool is_cut_short);

#endif
