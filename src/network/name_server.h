/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NETWORK_NAME_SERVER_H
#define NETWORK_NAME_SERVER_H
/*
 * How a container gets its names: from the program tare-dns (src/dns), of which one process serves
 * all containers of a network.
 *
 * The container's first process makes the sockets of 127.0.0.11:53 in its own network namespace,
 * before its command runs, and leaves them to its monitor. The monitor hands copies of them to the
 * name server over a connection that it keeps:
 *
 *	RUNROOT/networks/ID/dns.sock  where the name server of network ID listens (SOCK_SEQPACKET)
 *	                    dns.lock  held (flock) by who looks for it or starts it, and by itself
 *	                              while it makes sure that nobody is left to serve
 *
 * The end of the connection tells the name server that the container is gone, and the monitor that
 * the name server is: then the first monitor that gets the lock starts another, and each hands its
 * sockets over again (monitor/names.h). Questions that come in between wait in the sockets.
 *
 * Messages are lines "KEY WORDS", the first with the sockets as SCM_RIGHTS (UDP, TCP, and a UDP
 * socket to ask from, in this order):
 *
 *	container ID         whom the sockets belong to
 *	forward yes|no       no: only names of the container's networks are answered
 *	server host|own IP   whom to ask everything else, in this order: from the host's network,
 *	                     or from the container's own
 *
 * Each message replaces what those before it said.
 */
#include "base/rand.h"
#include "base/str.h"
#include "plan/plan.h"

#include <stdbool.h>

struct err;

#define NAME_SERVER_ADDRESS "127.0.0.11"
#define NAME_SERVER_PROGRAM "tare-dns"
/* Names that are looked up are never asked for with the search list first: the container's
 * resolv.conf says "ndots:0". */
#define NAME_SERVER_OPTION	"ndots:0"
#define NAME_SERVER_MESSAGE_MAX 4096
#define NAME_SERVER_MAX_SERVERS 8
/* Descriptors 3 to 5 that the program is started with. */
enum { NAME_SERVER_LISTEN_FD = 3, NAME_SERVER_LOCK_FD, NAME_SERVER_NETWORKS_FD };

/* The sockets of one container. */
enum name_socket { NAME_UDP, NAME_TCP, NAME_ASK, N_NAME_SOCKETS };

/* What a monitor keeps for the names of its container. Strings are owned. */
struct name_service {
	char *program;		     /* tare-dns */
	char *runroot;		     /* absolute */
	char network_id[ID_LEN + 1]; /* whose name server it is: any of the container's */
	char container_id[ID_LEN + 1];
	bool forwards;		     /* false: only internal networks */
	struct strv servers;	     /* "host 192.0.2.1", "own 198.51.100.1" */
	int sockets[N_NAME_SOCKETS]; /* -1 */
	int fd;			     /* the connection; -1 */
	int pair[2];		     /* from the container's first process; -1 */
};

#define NAME_SERVICE_INIT                                             \
	{                                                             \
		.sockets = {-1, -1, -1}, .fd = -1, .pair = { -1, -1 } \
	}

/* An owned service without any socket. PROGRAM is tare-dns's file; the strings are copied. */
struct name_service *name_service_new(const char *program, const char *runroot,
				      const char *network_id, const char *container_id);
/* Closes the sockets and the connection; NULL is fine. */
void name_service_free(struct name_service *service);

/* Servers that the container's user gave (--dns): asked from the container's own network. */
void name_service_add_own(struct name_service *service, const struct strv *addresses);
/* The host's, from RESOLV_CONF ("/etc/resolv.conf"): asked from the host's network, so that one on
 * its loopback works too. A file that is not there adds none. */
void name_service_add_host(struct name_service *service, const char *resolv_conf);

/* Connects to the network's name server, and starts it if there is none: service->fd. RUNROOT/
 * networks/ID must exist. Waits for the lock if WAIT, else -ERR_UNAVAILABLE while somebody else has
 * it. 0 or -code; -ERR_NOT_FOUND when the network is gone. */
int name_service_connect(struct name_service *service, bool wait, struct err *err);
/* Makes the sockets in the caller's network namespace, and the rules that lead port 53 to them: RET
 * is filled. 0 or -errno. */
int name_service_open_sockets(int ret[static N_NAME_SOCKETS]);
/* Appends those rules as nft(8) reads them. */
void name_service_format_rules(struct str *out);
/* Says over the connection whom it is for, with the sockets when WITH_SOCKETS. Does not wait. 0 or
 * -errno. */
int name_service_send(struct name_service *service, bool with_sockets);

/* The service as text, for the way to a monitor that runs already, and back: owned. NULL for a text
 * that is none. The sockets go beside it. */
char *name_service_format(const struct name_service *service);
struct name_service *name_service_parse(const char *text);

/* The steps of a start, three groups in the order of the calls: HOST before the clone, INSIDE while
 * the process still has its privileges and its own network, HOST after the clone. SERVICE is
 * borrowed until the plan has run; for a script it may be NULL, then all is said in comments. */
void name_service_plan_connect(struct plan *plan, struct name_service *service);
void name_service_plan_sockets(struct plan *plan, struct name_service *service);
void name_service_plan_hand_over(struct plan *plan, struct name_service *service);

#endif
