/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network steps, executed. A step that belongs to a batch appends its message and remembers itself
 * as the message's origin; the commit sends all of them with one sendmsg(2) and reads one
 * acknowledgement, so that a link with its address and its default route costs three system calls
 * on each side.
 *
 * Where the kernel wants an index, one ioctl(2) on the socket gives it. The child that was cloned
 * into the parent's memory works on a copy of struct plan_run: descriptors that it opens are its
 * own, and what it allocates is freed by the commit.
 */
#include "plan/step_net.h"

#include "base/fd.h"
#include "base/mem.h"
#include "plan/net_steps.h"
#include "plan/steps.h"
#include "sys/path.h"
#include "sys/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <unistd.h>

#define PROC_IPV6 "sys/net/ipv6/conf/%s/%s"

struct plan_net_batch {
	struct netlink_batch messages;
	const struct step **steps; /* by message; owned array of borrowed steps */
	size_t n_steps;
	char ifname[IFNAMSIZ]; /* whose index was asked for last */
	int index;
};

static void free_batch(struct plan_net_batch *batch)
{
	if (batch == NULL)
		return;
	netlink_batch_done(&batch->messages);
	free(batch->steps);
	free(batch);
}

void plan_net_done(struct plan_run *run)
{
	for (size_t i = 0; i < PLAN_NET_SIDES; i++) {
		fd_cleanup_close(&run->net_fd[i]);
		free_batch(run->net_batch[i]);
		run->net_batch[i] = NULL;
	}
}

/* ---- batches ---- */

/* The socket of SIDE, opened when it is needed; -code. */
static int get_socket(struct plan_run *run, const struct step *step, enum net_side side,
		      struct err *err)
{
	int fd = run->net_fd[side];

	if (fd >= 0)
		return fd;
	/* A step inside cannot open one of the host's namespace. */
	if (side == NET_HOST && step->where == STEP_INSIDE)
		return err_sys(err, EBADF, "use the host's netlink socket");
	fd = netlink_open(NETLINK_ROUTE);
	if (fd < 0)
		return err_sys(err, -fd, "open a netlink socket");
	run->net_fd[side] = fd;
	return fd;
}

/* The batch of SIDE with its socket, made when it is needed; NULL after an error. */
static struct plan_net_batch *get_batch(struct plan_run *run, const struct step *step,
					enum net_side side, struct err *err)
{
	if (get_socket(run, step, side, err) < 0)
		return NULL;
	if (run->net_batch[side] == NULL)
		run->net_batch[side] = mem_zalloc(sizeof(struct plan_net_batch));
	return run->net_batch[side];
}

/* All messages that were added since the last call are STEP's. */
static void claim(struct plan_net_batch *batch, const struct step *step)
{
	batch->steps = mem_realloc_array(batch->steps, batch->messages.n_messages,
					 sizeof(*batch->steps));
	while (batch->n_steps < batch->messages.n_messages)
		batch->steps[batch->n_steps++] = step;
}

/* The index of link IFNAME on SIDE, or -code. */
static int get_index(struct plan_run *run, enum net_side side, const char *ifname, struct err *err)
{
	struct plan_net_batch *batch = run->net_batch[side];
	int index = batch->index;

	if (index > 0 && strcmp(batch->ifname, ifname) == 0)
		return index;
	index = rtnl_index(run->net_fd[side], ifname);
	if (index < 0)
		return err_sys(err, -index, "find link %s", ifname);
	batch->index = index;
	snprintf(batch->ifname, sizeof(batch->ifname), "%s", ifname);
	return index;
}

/* What the refused STEP was about to do, for people. */
static int fail(const struct step *step, int errnum, const char *text, struct err *err)
{
	cleanup_str struct str why = STR_INIT;

	if (*text)
		str_addf(&why, " (%s)", text);
	if (step == NULL)
		return err_sys(err, errnum, "netlink%s", str_get(&why));
	err_sys(err, errnum, "%s %s%s%s%s", step->op->name, step->path, step->text ? ": " : "",
		step->text ? step->text : "", str_get(&why));
	if (errnum == EXFULL)
		err_hint(err, "a bridge of Linux has at most 1023 ports; further containers need "
			      "another network");
	return -err->code;
}

static int commit(struct plan_run *run, enum net_side side, struct err *err)
{
	struct plan_net_batch *batch = run->net_batch[side];
	struct netlink_failure failure;
	int rc = 0;

	if (batch == NULL)
		return 0;
	rc = netlink_send(run->net_fd[side], &batch->messages, &failure);
	if (rc < 0)
		rc = fail(failure.index < batch->n_steps ? batch->steps[failure.index] : NULL, -rc,
			  failure.text, err);
	free_batch(batch);
	run->net_batch[side] = NULL;
	return rc;
}

static int run_commit(struct plan_run *run, const struct step *step, struct err *err)
{
	return commit(run, (enum net_side)step->number[0], err);
}

static const struct step_op step_commit = {"net commit", run_commit, step_net_explain_commit};

void plan_net_commit(struct plan *plan, enum step_where where, enum net_side side)
{
	plan_add(plan, &step_commit, where)->number[0] = side;
}

static int run_open(struct plan_run *run, const struct step *step, struct err *err)
{
	int fd = get_socket(run, step, NET_HOST, err);

	return fd < 0 ? fd : 0;
}

static const struct step_op step_open = {"net open", run_open, step_net_explain_open};

void plan_net_open(struct plan *plan)
{
	plan_add(plan, &step_open, STEP_HOST);
}

static int run_close(struct plan_run *run, const struct step *step, struct err *err)
{
	fd_cleanup_close(&run->net_fd[NET_HOST]);
	return 0;
}

static const struct step_op step_close = {"net close", run_close, step_net_explain_close};

void plan_net_close(struct plan *plan)
{
	plan_add(plan, &step_close, STEP_INSIDE);
}

/* ---- IPv6 ---- */

/* A kernel parameter of the network namespace that the caller is in: below /proc/sys/net every
 * process sees its own. */
static int write_parameter(struct plan_run *run, enum step_where where, const char *ifname,
			   const char *name, const char *value)
{
	cleanup_free char *path = str_printf(PROC_IPV6, ifname, name);
	cleanup_close int fd = -1;
	int proc = -1;

	if (where == STEP_INSIDE) {
		proc = plan_run_proc(run);
		fd = proc < 0 ? proc : path_open_strict(proc, path, O_WRONLY);
	} else {
		cleanup_free char *host_path = str_printf("/proc/%s", path);

		/* lint: a kernel parameter, by the host's own procfs */
		fd = open(host_path, O_WRONLY | O_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
	}
	return fd < 0 ? fd : fd_write_full(fd, value, 1);
}

static int write_ipv6(struct plan_run *run, enum step_where where, const char *ifname, bool on)
{
	int rc = write_parameter(run, where, ifname, "disable_ipv6", on ? "0" : "1");

	return rc == -ENOENT && !on ? 0 : rc;
}

static int run_ipv6(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = write_ipv6(run, step->where, step->path, step->number[0]);

	return rc < 0 ? err_sys(err, -rc, "switch IPv6 %s for %s", step->number[0] ? "on" : "off",
				step->path)
		      : 0;
}

static const struct step_op step_ipv6 = {"ipv6", run_ipv6, step_net_explain_ipv6};

void plan_net_ipv6(struct plan *plan, enum step_where where, const char *ifname, bool on)
{
	struct step *step = plan_add(plan, &step_ipv6, where);

	step->path = str_dup(ifname);
	step->number[0] = on;
}

static int run_no_routers(struct plan_run *run, const struct step *step, struct err *err)
{
	int rc = write_parameter(run, step->where, step->path, "accept_ra", "0");

	return rc < 0 ? err_sys(err, -rc, "have %s ignore routers", step->path) : 0;
}

static const struct step_op step_no_routers = {"no routers", run_no_routers,
					       step_net_explain_no_routers};

void plan_net_no_routers(struct plan *plan, enum step_where where, const char *ifname)
{
	plan_add(plan, &step_no_routers, where)->path = str_dup(ifname);
}

/* ---- links of the host ---- */

/* The address of a bridge without one follows its ports, and neighbours would have to learn it
 * again with each container. This one is the name's for ever: FNV-1a behind docker's two bytes. */
static void bridge_mac(const char *name, uint8_t ret[6])
{
	uint32_t hash = 2166136261U;

	for (const char *p = name; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619U;
	ret[0] = 0x02;
	ret[1] = 0x42;
	memcpy(ret + 2, &hash, sizeof(hash));
}

/* Makes it when it is not there; its index. */
static int ensure_bridge(struct plan_run *run, const struct step *step,
			 struct plan_net_batch *batch, struct err *err)
{
	int index = rtnl_index(run->net_fd[NET_HOST], step->path);
	struct netlink_failure failure;
	uint8_t mac[6];
	int rc = 0;

	if (index >= 0)
		return index;
	bridge_mac(step->path, mac);
	rtnl_add_bridge(&batch->messages, step->path, mac, (uint32_t)step->number[0]);
	/* Somebody may be faster. */
	netlink_tolerate(&batch->messages, EEXIST);
	rc = netlink_send(run->net_fd[NET_HOST], &batch->messages, &failure);
	if (rc < 0)
		return fail(step, -rc, failure.text, err);
	index = rtnl_index(run->net_fd[NET_HOST], step->path);
	return index < 0 ? err_sys(err, -index, "find bridge %s", step->path) : index;
}

/* What a bridge's containers say of routers is not for the host. A bridge that somebody else has
 * made is used as it is, but for what the network needs. */
static int write_bridge_ipv6(struct plan_run *run, const struct step *step, struct err *err)
{
	const bool on = step->number[1], is_foreign = step->number[2];
	int rc = on && !is_foreign ? write_parameter(run, step->where, step->path, "accept_ra", "0")
				   : 0;

	if (rc == 0 && (on || !is_foreign))
		rc = write_ipv6(run, step->where, step->path, on);
	return rc < 0 ? err_sys(err, -rc, "switch IPv6 for bridge %s", step->path) : 0;
}

static int run_bridge(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = NULL;
	struct ip_prefix addr;
	int rc = commit(run, NET_HOST, err);

	if (rc == 0)
		batch = get_batch(run, step, NET_HOST, err);
	if (batch == NULL)
		return -err->code;
	rc = ensure_bridge(run, step, batch, err);
	if (rc < 0)
		return rc;
	rtnl_set_bridge(&batch->messages, (unsigned)rc, (uint32_t)step->number[0]);
	strv_foreach (i, &step->words)
		if (ip_prefix_parse(step->words.items[i], &addr) == 0)
			rtnl_add_address(&batch->messages, (unsigned)rc, &addr);
	rc = write_bridge_ipv6(run, step, err);
	if (rc < 0)
		return rc;
	claim(batch, step);
	rc = commit(run, NET_HOST, err);
	if (rc < 0 && err->errnum == EOPNOTSUPP)
		return err_set(err, ERR_CONFLICT, "link %s is there and is not a bridge",
			       step->path);
	return rc;
}

static const struct step_op step_bridge = {"bridge", run_bridge, step_net_explain_bridge};

static void add_prefix_word(struct strv *words, const struct ip_prefix *prefix)
{
	char text[IP_PREFIX_TEXT_LEN];

	strv_add(words, ip_prefix_format(prefix, text));
}

void plan_net_bridge(struct plan *plan, enum step_where where, const struct plan_bridge *bridge)
{
	struct step *step = plan_add(plan, &step_bridge, where);
	uint8_t mac[6];

	bridge_mac(bridge->name, mac);
	step->path = str_dup(bridge->name);
	step->text = str_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
				mac[4], mac[5]);
	for (size_t i = 0; i < bridge->n_addrs; i++)
		add_prefix_word(&step->words, &bridge->addrs[i]);
	step->number[0] = bridge->mtu;
	step->number[1] = bridge->is_ipv6;
	step->number[2] = bridge->is_foreign;
}

/* Where the kernel has no dummy links, a pair whose other end nobody uses leads nowhere as well. (A
 * bridge without ports has no carrier, and neither would the links on it.) */
static int make_lonely_pair(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = get_batch(run, step, NET_HOST, err);
	const struct rtnl_link pair = {.kind = "veth",
				       .host_ifname = step->path,
				       .ifname = step->type,
				       .target = {.fd = -1, .pid = getpid()}};
	const char *const ends[] = {step->path, step->type};
	int rc = 0;

	if (batch == NULL)
		return -err->code;
	rtnl_add_link(&batch->messages, &pair);
	netlink_tolerate(&batch->messages, EEXIST);
	claim(batch, step);
	rc = commit(run, NET_HOST, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(ends); i++) {
		rc = write_ipv6(run, step->where, ends[i], false);
		if (rc < 0)
			return err_sys(err, -rc, "switch IPv6 off for %s", ends[i]);
	}
	batch = rc == 0 ? get_batch(run, step, NET_HOST, err) : NULL;
	rc = batch ? get_index(run, NET_HOST, step->type, err) : -err->code;
	if (rc < 0)
		return rc;
	rtnl_set_up(&batch->messages, (unsigned)rc);
	claim(batch, step);
	return commit(run, NET_HOST, err);
}

static int run_parent(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = NULL;
	int rc = commit(run, NET_HOST, err);

	if (rc == 0)
		batch = get_batch(run, step, NET_HOST, err);
	if (batch == NULL)
		return -err->code;
	rc = step->text ? get_index(run, NET_HOST, step->text, err) : 0;
	if (rc < 0)
		return rc;
	rtnl_add_vlan(&batch->messages, step->path, (unsigned)rc, (uint16_t)step->number[0]);
	claim(batch, step);
	rc = commit(run, NET_HOST, err);
	if (rc < 0 && err->errnum == EOPNOTSUPP && step->text == NULL) {
		err_clear(err);
		return make_lonely_pair(run, step, err);
	}
	if (rc < 0 && err->errnum == EOPNOTSUPP)
		return err_set(err, ERR_UNSUPPORTED,
			       "failed to create %s vlan link: operation not supported",
			       step->path);
	return rc;
}

static const struct step_op step_parent = {"parent", run_parent, step_net_explain_parent};

void plan_net_parent(struct plan *plan, enum step_where where, const char *ifname,
		     const char *parent, uint16_t id)
{
	struct step *step = plan_add(plan, &step_parent, where);

	step->path = str_dup(ifname);
	step->text = str_dup(parent);
	step->type = str_printf("%.*s-", IFNAMSIZ - 2, ifname);
	step->number[0] = parent ? id : 0;
}

static int run_delete(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = get_batch(run, step, NET_HOST, err);

	if (batch == NULL)
		return -err->code;
	rtnl_delete(&batch->messages, step->path);
	claim(batch, step);
	return 0;
}

static const struct step_op step_delete = {"link delete", run_delete, step_net_explain_delete};

void plan_net_delete(struct plan *plan, enum step_where where, const char *ifname)
{
	plan_add(plan, &step_delete, where)->path = str_dup(ifname);
}

static int run_down(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = get_batch(run, step, NET_HOST, err);

	if (batch == NULL)
		return -err->code;
	rtnl_set_down(&batch->messages, step->path);
	claim(batch, step);
	return 0;
}

static const struct step_op step_down = {"link down", run_down, step_net_explain_down};

void plan_net_down(struct plan *plan, enum step_where where, const char *ifname)
{
	plan_add(plan, &step_down, where)->path = str_dup(ifname);
}

/* ---- links of containers ---- */

void step_net_mac(const struct step *step, uint8_t ret[6])
{
	for (size_t i = 0; i < 6; i++)
		ret[i] = (uint8_t)(step->number[1] >> (8 * i));
}

static int run_link(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = get_batch(run, step, NET_HOST, err);
	const char *master = step->words.items[LINK_MASTER];
	struct rtnl_link link = {
		.kind = step->type,
		.host_ifname = step->text,
		.ifname = step->path,
		.mtu = (uint32_t)step->number[0],
		.group = (uint32_t)step->number[3],
		/* The child is in its own pid namespace, and asks from there. */
		.target = {.fd = (int)step->number[2] - 1, .pid = getpid()},
	};
	int index = 0;

	if (batch == NULL)
		return -err->code;
	if (*master)
		index = get_index(run, NET_HOST, master, err);
	if (index < 0)
		return index;
	link.link = (unsigned)index;
	step_net_mac(step, link.mac);
	if (rtnl_parse_mode(link.kind, step->words.items[LINK_MODE], &link.mode) < 0)
		return err_set(err, ERR_INVALID, "%s has no mode %s", link.kind,
			       step->words.items[LINK_MODE]);
	rtnl_add_link(&batch->messages, &link);
	if (step->number[3] >> 32)
		rtnl_set_hairpin(&batch->messages, link.host_ifname);
	claim(batch, step);
	return 0;
}

static const struct step_op step_link = {"link", run_link, step_net_explain_link};

void plan_net_link(struct plan *plan, enum step_where where, const struct plan_link *link)
{
	struct step *step = plan_add(plan, &step_link, where);

	step->path = str_dup(link->ifname);
	step->text = str_dup(link->host_ifname);
	step->type = str_dup(link->kind);
	strv_add(&step->words, link->master ? link->master : "");
	strv_add(&step->words, link->mode ? link->mode : "");
	strv_add(&step->words, link->netns_path ? link->netns_path : "");
	step->number[0] = link->mtu;
	for (size_t i = 0; i < 6; i++)
		step->number[1] |= (uint64_t)link->mac[i] << (8 * i);
	step->number[2] = (uint64_t)link->netns_fd + 1;
	step->number[3] = link->group | (uint64_t)link->is_hairpin << 32;
}

static int run_hairpin(struct plan_run *run, const struct step *step, struct err *err)
{
	struct plan_net_batch *batch = get_batch(run, step, NET_HOST, err);

	if (batch == NULL)
		return -err->code;
	rtnl_set_hairpin(&batch->messages, step->path);
	claim(batch, step);
	return 0;
}

static const struct step_op step_hairpin = {"hairpin", run_hairpin, step_net_explain_hairpin};

void plan_net_hairpin(struct plan *plan, enum step_where where, const char *ifname)
{
	plan_add(plan, &step_hairpin, where)->path = str_dup(ifname);
}

/* ---- in the namespace of its own ---- */

/* The batch, and in *RET the index of the step's link; NULL after an error. */
static struct plan_net_batch *own_batch(struct plan_run *run, const struct step *step,
					unsigned *ret, struct err *err)
{
	struct plan_net_batch *batch = get_batch(run, step, NET_OWN, err);
	int index = batch ? get_index(run, NET_OWN, step->path, err) : -1;

	if (index < 0)
		return NULL;
	*ret = (unsigned)index;
	return batch;
}

static int run_up(struct plan_run *run, const struct step *step, struct err *err)
{
	unsigned index = 0;
	struct plan_net_batch *batch = own_batch(run, step, &index, err);

	if (batch == NULL)
		return -err->code;
	rtnl_set_up(&batch->messages, index);
	claim(batch, step);
	return 0;
}

static const struct step_op step_up = {"link up", run_up, step_net_explain_up};

void plan_net_up(struct plan *plan, enum step_where where, const char *ifname)
{
	plan_add(plan, &step_up, where)->path = str_dup(ifname);
}

static int run_address(struct plan_run *run, const struct step *step, struct err *err)
{
	unsigned index = 0;
	struct plan_net_batch *batch = own_batch(run, step, &index, err);
	struct ip_prefix addr;

	if (batch == NULL)
		return -err->code;
	if (ip_prefix_parse(step->text, &addr) < 0)
		return err_set(err, ERR_INVALID, "invalid address %s", step->text);
	rtnl_add_address(&batch->messages, index, &addr);
	claim(batch, step);
	return 0;
}

static const struct step_op step_address = {"address", run_address, step_net_explain_address};

void plan_net_address(struct plan *plan, enum step_where where, const char *ifname,
		      const struct ip_prefix *addr)
{
	struct step *step = plan_add(plan, &step_address, where);
	char text[IP_PREFIX_TEXT_LEN];

	step->path = str_dup(ifname);
	step->text = str_dup(ip_prefix_format(addr, text));
}

static int run_route(struct plan_run *run, const struct step *step, struct err *err)
{
	unsigned index = 0;
	struct plan_net_batch *batch = own_batch(run, step, &index, err);
	struct ip_addr gateway = {};
	struct ip_prefix to;

	if (batch == NULL)
		return -err->code;
	if (ip_prefix_parse(step->text, &to) < 0 ||
	    (step->type && ip_parse(step->type, &gateway) < 0))
		return err_set(err, ERR_INVALID, "invalid route %s", step->text);
	rtnl_set_route(&batch->messages, index, &to, &gateway);
	claim(batch, step);
	return 0;
}

static const struct step_op step_route = {"route", run_route, step_net_explain_route};

void plan_net_route(struct plan *plan, enum step_where where, const struct ip_prefix *to,
		    const struct ip_addr *gateway, const char *ifname)
{
	struct step *step = plan_add(plan, &step_route, where);
	char text[IP_PREFIX_TEXT_LEN];

	step->path = str_dup(ifname);
	step->text = str_dup(ip_prefix_format(to, text));
	if (gateway && gateway->family != IP_NONE)
		step->type = str_dup(ip_format(gateway, text));
}

static int run_ready(struct plan_run *run, const struct step *step, struct err *err)
{
	int fd = get_socket(run, step, (enum net_side)step->number[0], err);
	int rc = 0;

	if (fd < 0)
		return fd;
	rc = rtnl_settle(fd, step->path);
	/* A driver that cannot be asked puts nothing off. */
	if (rc < 0 && rc != -EOPNOTSUPP)
		return err_sys(err, -rc, "find link %s", step->path);
	return 0;
}

static const struct step_op step_ready = {"link ready", run_ready, step_net_explain_ready};

void plan_net_ready(struct plan *plan, enum step_where where, enum net_side side,
		    const char *ifname)
{
	struct step *step = plan_add(plan, &step_ready, where);

	step->path = str_dup(ifname);
	step->number[0] = side;
}
