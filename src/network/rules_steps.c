/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall's steps of plans. Explained, they are the nft(8) commands that do the same, made of
 * the same texts as what the kernel gets.
 */
#include "network/rules.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "network/rules_private.h"
#include "sys/conntrack.h"

/* ---- all of it ---- */

static int run_load(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_rules_session struct rules_session session = RULES_SESSION_INIT;
	cleanup_rules_content struct rules_content inet = {}, bridge = {};
	/* Borrowed from whoever made the plan, for the purpose of being filled. */
	struct rules_state *state = (struct rules_state *)(uintptr_t)step->data;
	bool is_closed = false;
	int rc = rules_session_begin(&session, step->path, err);

	if (rc == 0 && state->refill)
		rc = state->refill(state, err);
	if (rc < 0)
		return rc;
	is_closed = rules_fill(state, &inet, &bridge);
	return rules_load(&session, &inet, &bridge, is_closed, err);
}

/* As nft(8) does it in one transaction: a table that must be gone is made, deleted, and made. */
static void explain_table(const struct rules_content *content, bool is_needed, struct str *out)
{
	const struct nft_table *table = &content->table;

	str_addf(out, "table %s %s\ndelete table %s %s\n", table->family, table->name,
		 table->family, table->name);
	if (is_needed)
		nft_format(table, content->elements, out);
}

static void explain_load(const struct step *step, enum step_text mode, struct str *out)
{
	cleanup_rules_content struct rules_content inet, bridge;
	const bool is_closed = rules_fill(step->data, &inet, &bridge);

	str_add(out, "nft -f - <<'EOF'\n");
	explain_table(&inet, true, out);
	explain_table(&bridge, is_closed, out);
	str_add(out, "EOF");
}

static const struct step_op step_load = {"firewall", run_load, explain_load};

void rules_plan_load(struct plan *plan, enum step_where where, struct rules_state *state,
		     const char *runroot)
{
	cleanup_strv struct strv bridges = STRV_INIT;
	struct step *step = plan_add(plan, &step_load, where);

	step->data = state;
	step->path = str_dup(runroot);
	rules_bridges(state, &bridges);
	rules_plan_user_chain(plan, where, &bridges, true, runroot);
}

/* ---- elements ---- */

/* One kind of thing that has elements: how they are made of the step's data. The step's fields:
 * text is the table's name, path the runroot, number[0] how many, number[1] whether to add. */
typedef void (*content_fn)(const struct step *step, struct rules_content *content);

static void network_content(const struct step *step, struct rules_content *content)
{
	rules_add_network(content, step->data);
}

static void port_content(const struct step *step, struct rules_content *content)
{
	const struct rules_port *ports = step->data;

	for (uint64_t i = 0; i < step->number[0]; i++)
		rules_add_port(content, &ports[i]);
}

/* What a run directory tells of a port does not say how its network is reached: both ways are taken
 * away, of which one is there. */
static void taken_content(const struct step *step, struct rules_content *content)
{
	const struct rules_port *ports = step->data;

	for (uint64_t i = 0; i < step->number[0]; i++) {
		struct rules_port other = ports[i];

		other.mode = other.mode == GATEWAY_ROUTED ? GATEWAY_NAT : GATEWAY_ROUTED;
		rules_add_port(content, &ports[i]);
		rules_add_port(content, &other);
	}
}

static bool is_empty(const struct rules_content *content)
{
	for (size_t i = 0; i < content->table.n_sets; i++)
		if (content->elements[i].n)
			return false;
	return true;
}

static int change(const struct step *step, const struct rules_content *content, bool needs_table,
		  struct err *err)
{
	cleanup_rules_session struct rules_session session = RULES_SESSION_INIT;
	int rc = 0;

	if (is_empty(content) && !needs_table)
		return 0;
	rc = rules_session_begin(&session, step->path, err);
	if (rc < 0)
		return rc;
	return step->number[1] ? rules_add(&session, content, needs_table, err)
			       : rules_take(&session, content, err);
}

static void explain_elements(const struct step *step, const struct rules_content *content,
			     struct str *out)
{
	const struct nft_table *table = &content->table;

	for (size_t i = 0; i < table->n_sets; i++) {
		cleanup_free char *list = strv_join(&content->elements[i], ", ");

		if (content->elements[i].n)
			str_addf(out, "%snft %s element %s %s %s '{ %s }'", out->len ? "\n" : "",
				 step->number[1] ? "add" : "delete", table->family, table->name,
				 table->sets[i].name, list);
	}
}

static int run_inet(const struct step *step, content_fn fill, struct err *err)
{
	cleanup_rules_content struct rules_content content = {
		.table = rules_inet_table(step->text)};

	fill(step, &content);
	return change(step, &content, false, err);
}

static void explain_inet(const struct step *step, content_fn fill, struct str *out)
{
	cleanup_rules_content struct rules_content content = {
		.table = rules_inet_table(step->text)};

	fill(step, &content);
	explain_elements(step, &content, out);
}

static struct step *add_step(struct plan *plan, const struct step_op *op, enum step_where where,
			     const char *table, const char *runroot)
{
	struct step *step = plan_add(plan, op, where);

	step->text = str_dup(table);
	step->path = str_dup(runroot);
	return step;
}

/* ---- networks ---- */

static int run_network(struct plan_run *run, const struct step *step, struct err *err)
{
	const struct rules_content bridge = {.table = rules_bridge_table(step->text)};
	int rc = run_inet(step, network_content, err);

	if (rc == 0 && step->number[1] && rules_is_closed(step->data))
		rc = change(step, &bridge, true, err);
	return rc;
}

static void explain_network(const struct step *step, enum step_text mode, struct str *out)
{
	const struct nft_table bridge = rules_bridge_table(step->text);

	explain_inet(step, network_content, out);
	if (!step->number[1] || !rules_is_closed(step->data))
		return;
	str_addf(out, "\nnft list table bridge %s >/dev/null 2>&1 || nft -f - <<'EOF'\n",
		 bridge.name);
	nft_format(&bridge, NULL, out);
	str_add(out, "EOF");
}

static const struct step_op step_network = {"firewall network", run_network, explain_network};

void rules_plan_network(struct plan *plan, enum step_where where, const char *table,
			const struct network *network, bool add, const char *runroot)
{
	cleanup_strv struct strv bridges = STRV_INIT;
	struct step *step = NULL;

	if (network->driver != NETWORK_BRIDGE)
		return;
	step = add_step(plan, &step_network, where, table, runroot);
	step->data = network;
	step->number[1] = add;
	strv_add(&bridges, network->bridge);
	rules_plan_user_chain(plan, where, &bridges, add, runroot);
}

/* ---- ports ---- */

/* What a datagram socket sends keeps its way: also to where nobody was, or to who had the port. */
static bool has_flows(const struct rules_port *port)
{
	return strcmp(port->port.proto, "udp") == 0 && port->mode != GATEWAY_ROUTED;
}

static int run_ports(struct plan_run *run, const struct step *step, struct err *err)
{
	const struct rules_port *ports = step->data;
	int rc = run_inet(step, step->number[1] ? port_content : taken_content, err);

	for (uint64_t i = 0; rc == 0 && i < step->number[0]; i++) {
		int n = has_flows(&ports[i]) ? conntrack_forget_udp(ports[i].container_ip.family,
								    ports[i].port.host_port)
					     : 0;

		/* Without ctnetlink the kernel forgets them by itself, half a minute after the last
		 * packet. */
		if (n < 0)
			log_debug("flows to UDP port %u: %s", ports[i].port.host_port,
				  strerrordesc_np(-n));
	}
	return rc;
}

static void explain_ports(const struct step *step, enum step_text mode, struct str *out)
{
	const struct rules_port *ports = step->data;

	explain_inet(step, port_content, out);
	for (uint64_t i = 0; i < step->number[0]; i++)
		if (has_flows(&ports[i]))
			str_addf(out,
				 "\nconntrack -D -f %s -p udp --orig-port-dst %u >/dev/null 2>&1 "
				 "|| :",
				 ports[i].container_ip.family == IP_V6 ? "ipv6" : "ipv4",
				 ports[i].port.host_port);
}

static const struct step_op step_ports = {"firewall ports", run_ports, explain_ports};

void rules_plan_ports(struct plan *plan, enum step_where where, const char *table,
		      const struct rules_port *ports, size_t n, bool add, const char *runroot)
{
	struct step *step = NULL;

	if (!n)
		return;
	step = add_step(plan, &step_ports, where, table, runroot);
	step->data = ports;
	step->number[0] = n;
	step->number[1] = add;
}

static int run_ports_again(struct plan_run *run, const struct step *step, struct err *err)
{
	return run_inet(step, taken_content, err);
}

static void explain_ports_again(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "# and again, if somebody has loaded the firewall in between");
}

static const struct step_op step_ports_again = {"firewall ports again", run_ports_again,
						explain_ports_again};

void rules_plan_ports_again(struct plan *plan, enum step_where where, const char *table,
			    const struct rules_port *ports, size_t n, const char *runroot)
{
	struct step *step = NULL;

	if (!n)
		return;
	step = add_step(plan, &step_ports_again, where, table, runroot);
	step->data = ports;
	step->number[0] = n;
}

/* ---- none of it ---- */

static int run_remove(struct plan_run *run, const struct step *step, struct err *err)
{
	cleanup_rules_session struct rules_session session = RULES_SESSION_INIT;
	int rc = rules_session_begin(&session, step->path, err);

	return rc < 0 ? rc : rules_remove(&session, step->text, err);
}

static void explain_remove(const struct step *step, enum step_text mode, struct str *out)
{
	static const char *const families[] = {"inet", "bridge"};

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		str_addf(out, "%snft 'table %s %s; delete table %s %s'", i ? "\n" : "", families[i],
			 step->text, families[i], step->text);
}

static const struct step_op step_remove = {"firewall remove", run_remove, explain_remove};

void rules_plan_remove(struct plan *plan, enum step_where where, const char *table,
		       const char *runroot)
{
	const struct nft_table inet = rules_inet_table(table);
	const struct nft_set *set = nft_find_set(&inet, "bridges");
	cleanup_strv struct strv bridges = STRV_INIT;
	cleanup_close int fd = nft_open();

	/* Those that are up, and those that a killed command has left. */
	if (fd >= 0)
		(void)nft_list_names(fd, &inet, set, &bridges);
	rules_plan_user_chain(plan, where, &bridges, false, runroot);
	add_step(plan, &step_remove, where, table, runroot);
}
