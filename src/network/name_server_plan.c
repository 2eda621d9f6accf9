/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's names as steps of its start. What a shell cannot do, handing open sockets to
 * another process, is said in words; dnsmasq is what comes nearest.
 */
#include "network/name_server.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sys/pty.h"

#include <errno.h>
#include <sys/socket.h>

static struct name_service *service_of(const struct step *step)
{
	return (struct name_service *)(uintptr_t)step->data;
}

static void add_step(struct plan *plan, const struct step_op *op, enum step_where where,
		     struct name_service *service)
{
	struct step *step = plan_add(plan, op, where);

	step->data = service;
	step->path = service ? str_printf("%s/networks/%s", service->runroot, service->network_id)
			     : NULL;
}

/* ---- before the clone ---- */

static int run_connect(struct plan_run *run, const struct step *step, struct err *err)
{
	struct name_service *s = service_of(step);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s->pair) < 0)
		return err_sys(err, errno, "make a socket pair");
	return name_service_connect(s, true, err);
}

static void explain_connect(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "# connect to the network's name server, which is started by the "
		     "first: " NAME_SERVER_PROGRAM);
	if (step->path && mode == TEXT_TRACE)
		str_addf(out, "; %s/dns.sock", step->path);
}

static const struct step_op step_connect = {"name server", run_connect, explain_connect};

void name_service_plan_connect(struct plan *plan, struct name_service *service)
{
	plan_group(plan, "names: one process answers for all containers of the network");
	add_step(plan, &step_connect, STEP_HOST, service);
	plan_group(plan, NULL);
}

/* ---- in the child ---- */

static int run_sockets(struct plan_run *run, const struct step *step, struct err *err)
{
	struct name_service *s = service_of(step);
	int fds[N_NAME_SOCKETS] = {-1, -1, -1};
	int rc = name_service_open_sockets(fds);
	ssize_t n = 0;

	if (rc < 0)
		return err_sys(err, -rc, "listen on " NAME_SERVER_ADDRESS ":53");
	n = pty_send_fds(s->pair[1], "", 1, fds, N_NAME_SOCKETS, 0);
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		fd_cleanup_close(&fds[i]);
	return n < 0 ? err_sys(err, (int)-n, "hand over the sockets of names") : 0;
}

/* Nobody would answer a script's container: it is told what to do, not done. */
static void explain_sockets(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "# sockets on " NAME_SERVER_ADDRESS " for the name server outside; by hand:\n"
		     "# dnsmasq --listen-address=" NAME_SERVER_ADDRESS
		     " --bind-interfaces --no-hosts --hostsdir=NAMES");
	if (mode == TEXT_SCRIPT)
		return;
	str_add(out,
		"\n# they leave port 53 to the container's own servers: the number is exchanged\n"
		"nft -f - <<'END'\n");
	name_service_format_rules(out);
	str_add(out, "END");
}

static const struct step_op step_sockets = {"name sockets", run_sockets, explain_sockets};

void name_service_plan_sockets(struct plan *plan, struct name_service *service)
{
	add_step(plan, &step_sockets, STEP_INSIDE, service);
}

/* ---- after the clone ---- */

/* A name server that is gone already is found so by the monitor, which starts another. */
static int run_hand_over(struct plan_run *run, const struct step *step, struct err *err)
{
	struct name_service *s = service_of(step);
	int fds[PTY_FDS_MAX];
	char byte = 0;
	ssize_t n = pty_recv_fds(s->pair[0], &byte, 1, fds, MSG_DONTWAIT);

	if (n <= 0)
		return err_sys(err, n < 0 ? (int)-n : EPIPE, "receive the sockets of names");
	for (int i = 0; i < N_NAME_SOCKETS; i++)
		s->sockets[i] = fds[i];
	fd_cleanup_close(&s->pair[0]);
	fd_cleanup_close(&s->pair[1]);
	name_service_send(s, true);
	return 0;
}

static void explain_hand_over(const struct step *step, enum step_text mode, struct str *out)
{
	str_add(out, "# the two sockets go to the name server, over its own (SCM_RIGHTS)");
}

static const struct step_op step_hand_over = {"name service", run_hand_over, explain_hand_over};

void name_service_plan_hand_over(struct plan *plan, struct name_service *service)
{
	add_step(plan, &step_hand_over, STEP_HOST, service);
}
