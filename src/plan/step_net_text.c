/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network steps, explained: each is the `ip` command that does the same. Steps of the host's side
 * that are taken inside reach its namespace by descriptor 9, which the shell opened before.
 */
#include "plan/net_steps.h"
#include "plan/step_net.h"

#include <inttypes.h>

#define INTO_HOST "nsenter --net=/proc/self/fd/9 "

static void add_word(struct str *out, const char *before, const char *word)
{
	str_add(out, before);
	str_add_shell(out, word);
}

static void add_mtu(const struct step *step, struct str *out)
{
	if (step->number[0])
		str_addf(out, " mtu %u", (unsigned)step->number[0]);
}

void step_net_explain_open(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "exec 9</proc/self/ns/net");
}

void step_net_explain_close(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "exec 9<&-");
}

void step_net_explain_commit(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_TRACE)
		str_add(out, "# netlink: the messages of the steps above, in one call");
}

/* Writes VALUE into a parameter that each link has. */
static void add_parameter(int value, const char *family, const char *ifname, const char *name,
			  struct str *out)
{
	cleanup_str struct str path = STR_INIT;

	str_addf(&path, "/proc/sys/net/%s/conf/%s/%s", family, ifname, name);
	str_addf(out, "echo %d > ", value);
	str_add_shell(out, str_get(&path));
}

static void add_ipv6(const char *ifname, bool on, struct str *out)
{
	/* Not there without IPv6, which is as good as off. */
	if (!on)
		str_add(out, "[ ! -d /proc/sys/net/ipv6 ] || ");
	add_parameter(on ? 0 : 1, "ipv6", ifname, "disable_ipv6", out);
}

static void add_address(const char *verb, const char *prefix, const char *ifname, struct str *out)
{
	struct ip_prefix addr = {};

	add_word(out, "ip addr ", verb);
	add_word(out, " ", prefix);
	if (ip_prefix_parse(prefix, &addr) == 0 && addr.addr.family == IP_V4 && addr.len < 31)
		str_add(out, " brd +");
	add_word(out, " dev ", ifname);
	if (addr.addr.family == IP_V6)
		str_add(out, " nodad");
}

void step_net_explain_bridge(const struct step *step, enum step_text mode, struct str *out)
{
	add_word(out, "ip link show ", step->path);
	add_word(out, " >/dev/null 2>&1 || ip link add ", step->path);
	str_addf(out, " address %s", step->text);
	add_mtu(step, out);
	str_add(out, " type bridge stp_state 0 forward_delay 0\n");
	if (step->number[1] && !step->number[2]) {
		add_parameter(0, "ipv6", step->path, "accept_ra", out);
		str_add_char(out, '\n');
	}
	if (step->number[1] || !step->number[2]) {
		add_ipv6(step->path, step->number[1], out);
		str_add_char(out, '\n');
	}
	add_parameter(1, "ipv4", step->path, "route_localnet", out);
	str_add_char(out, '\n');
	strv_foreach (i, &step->words) {
		add_address("replace", step->words.items[i], step->path, out);
		str_add_char(out, '\n');
	}
	add_word(out, "ip link set ", step->path);
	add_mtu(step, out);
	str_add(out, " up");
}

void step_net_explain_parent(const struct step *step, enum step_text mode, struct str *out)
{
	add_word(out, "ip link show ", step->path);
	str_add(out, " >/dev/null 2>&1 || ip link add");
	if (step->text)
		add_word(out, " link ", step->text);
	add_word(out, " name ", step->path);
	if (step->text) {
		str_addf(out, " up type vlan id %u", (unsigned)step->number[0]);
		return;
	}
	str_add(out, " up type dummy || { ip link add");
	add_word(out, " name ", step->path);
	str_add(out, " up type veth peer name");
	add_word(out, " ", step->type);
	add_word(out, " && ip link set ", step->type);
	str_add(out, " up; }");
}

static void begin_host(const struct step *step, struct str *out)
{
	if (step->where == STEP_INSIDE)
		str_add(out, INTO_HOST);
}

void step_net_explain_delete(const struct step *step, enum step_text mode, struct str *out)
{
	begin_host(step, out);
	add_word(out, "ip link delete ", step->path);
	str_add(out, " 2>/dev/null || :");
}

void step_net_explain_down(const struct step *step, enum step_text mode, struct str *out)
{
	begin_host(step, out);
	add_word(out, "ip link set ", step->path);
	str_add(out, " down 2>/dev/null || :");
}

static void add_mac(const struct step *step, struct str *out)
{
	uint8_t mac[6];

	step_net_mac(step, mac);
	if (step->number[1])
		str_addf(out, " address %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			 mac[3], mac[4], mac[5]);
}

static void add_netns(const struct step *step, struct str *out)
{
	if (*step->words.items[LINK_NETNS])
		add_word(out, " netns ", step->words.items[LINK_NETNS]);
	else
		str_add(out, " netns $$");
}

static void explain_veth(const struct step *step, struct str *out)
{
	add_word(out, "ip link add ", step->text);
	add_mtu(step, out);
	str_add(out, " numtxqueues 1 numrxqueues 1");
	if (*step->words.items[LINK_MASTER])
		add_word(out, " master ", step->words.items[LINK_MASTER]);
	if ((uint32_t)step->number[3])
		str_addf(out, " group %" PRIu32, (uint32_t)step->number[3]);
	add_word(out, " up type veth peer name ", step->path);
	add_mac(step, out);
	add_mtu(step, out);
	str_add(out, " numtxqueues 1 numrxqueues 1");
	add_netns(step, out);
	if (!(step->number[3] >> 32))
		return;
	str_add_char(out, '\n');
	begin_host(step, out);
	add_word(out, "ip link set ", step->text);
	str_add(out, " type bridge_slave hairpin on");
}

static void explain_on_parent(const struct step *step, struct str *out)
{
	add_word(out, "ip link add link ", step->words.items[LINK_MASTER]);
	add_word(out, " name ", step->path);
	add_mac(step, out);
	add_mtu(step, out);
	str_add(out, " up");
	add_netns(step, out);
	add_word(out, " type ", step->type);
	if (*step->words.items[LINK_MODE])
		add_word(out, " mode ", step->words.items[LINK_MODE]);
}

void step_net_explain_link(const struct step *step, enum step_text mode, struct str *out)
{
	begin_host(step, out);
	if (str_is_equal(step->type, "veth"))
		explain_veth(step, out);
	else
		explain_on_parent(step, out);
}

void step_net_explain_ipv6(const struct step *step, enum step_text mode, struct str *out)
{
	add_ipv6(step->path, step->number[0], out);
}

void step_net_explain_no_routers(const struct step *step, enum step_text mode, struct str *out)
{
	add_parameter(0, "ipv6", step->path, "accept_ra", out);
}

void step_net_explain_hairpin(const struct step *step, enum step_text mode, struct str *out)
{
	begin_host(step, out);
	add_word(out, "ip link set ", step->path);
	str_add(out, " type bridge_slave hairpin on");
}

void step_net_explain_up(const struct step *step, enum step_text mode, struct str *out)
{
	add_word(out, "ip link set ", step->path);
	str_add(out, " up");
}

/* For one link by name, `ip` asks the kernel the question that has it settle the link's state. */
void step_net_explain_ready(const struct step *step, enum step_text mode, struct str *out)
{
	if (step->number[0] == NET_HOST)
		begin_host(step, out);
	add_word(out, "ip link show dev ", step->path);
	str_add(out, " >/dev/null");
}

void step_net_explain_address(const struct step *step, enum step_text mode, struct str *out)
{
	add_address("add", step->text, step->path, out);
}

void step_net_explain_route(const struct step *step, enum step_text mode, struct str *out)
{
	struct ip_prefix to = {};

	ip_prefix_parse(step->text, &to);
	str_add(out, to.addr.family == IP_V6 ? "ip -6 route replace " : "ip route replace ");
	str_add_shell(out, to.len ? step->text : "default");
	if (step->type)
		add_word(out, " via ", step->type);
	add_word(out, " dev ", step->path);
}
