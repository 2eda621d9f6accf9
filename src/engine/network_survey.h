/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NETWORK_SURVEY_H
#define ENGINE_NETWORK_SURVEY_H
/* The networks of this engine and this host as they are now, as a network_model. */
#include "engine/engine.h"
#include "engine/network_model.h"

/* Fills RET (all zero), sorted: networks from the index, containers that have a process with what
 * they have below RUNROOT, and with WITH_HOST also what the host adds (forwarding, firewall,
 * listening sockets). What a command beside it takes away meanwhile is not there. */
int engine_survey_networks(struct engine *engine, bool with_host, struct network_model *ret,
			   struct err *err);

#endif
