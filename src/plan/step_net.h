/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_STEP_NET_H
#define PLAN_STEP_NET_H
/*
 * What the two halves of the network steps, doing and explaining, agree on: how their arguments lie
 * in struct step. Everything has its words in path (the link), text, type and words.
 *
 *	kind	   path		text		type	words		number
 *	bridge	   name		MAC			addresses	mtu, is_ipv6,
 *								is_foreign
 *	parent	   name		its parent, NULL		id
 *	link	   inside	host's end	kind	master, mode,	mtu, MAC, descriptor + 1,
 *							netns path	group, is_hairpin << 32
 *	ipv6	   link						on
 *	no routers link
 *	address	   link		prefix
 *	route	   link		prefix		gateway
 *	ready	   link						side
 */
#include "plan/plan.h"

enum { LINK_MASTER, LINK_MODE, LINK_NETNS };

/* The six bytes of a MAC, the first one lowest, in number 1 of a link. */
void step_net_mac(const struct step *step, uint8_t ret[6]);

/* One function for each kind of step, as struct step_op wants it. */
void step_net_explain_open(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_close(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_ready(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_commit(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_bridge(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_parent(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_delete(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_down(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_link(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_ipv6(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_no_routers(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_hairpin(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_up(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_address(const struct step *step, enum step_text mode, struct str *out);
void step_net_explain_route(const struct step *step, enum step_text mode, struct str *out);

#endif
