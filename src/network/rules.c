/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the firewall and the note of its generation.
 *
 * A transaction names the generation that it is meant for, and the kernel refuses it if that is no
 * longer the current one. So when it succeeds the new generation is known (the next one) and noted:
 * nobody else can have changed anything in between unseen. Refused, it is sent again for whatever
 * generation there is, and nothing is noted: the next command then compares the tables.
 */
/* lint file: files of the engine's own runroot; and a name of the kernel itself */
#include "network/rules.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/sha256.h"
#include "network/rules_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NOTE_LIMIT 256
#define LOAD_TRIES 5

#define DEFAULT_ROOT "/var/lib/tare"

void rules_table_name(const char *root, char buf[static RULES_TABLE_LEN])
{
	char hex[SHA256_HEX_LEN + 1];

	sha256_hex(root, strlen(root), hex);
	if (strcmp(root, DEFAULT_ROOT) == 0)
		snprintf(buf, RULES_TABLE_LEN, "tare");
	else
		snprintf(buf, RULES_TABLE_LEN, "tare_%.8s", hex);
}

/* ---- the note ---- */

/* What tells one network namespace from another, as long as the machine runs. */
static uint64_t namespace_id(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;

#ifdef SO_NETNS_COOKIE
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0)
		return cookie;
#endif
	/* Linux before 5.14. */
	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

/* "GENERATION NAMESPACE RULES": the last is another in a program with other rules. */
static void format_note(int fd, uint32_t generation, struct str *out)
{
	str_addf(out, "%" PRIu32 " %" PRIx64 " %" PRIx64 "\n", generation, namespace_id(fd),
		 rules_schema_mark());
}

static char *note_path(const char *runroot)
{
	return str_printf("%s/networks/rules", runroot);
}

/* The noted generation if namespace and rules are these; else 0. */
static uint32_t read_note(const char *runroot, int fd)
{
	cleanup_free char *path = note_path(runroot);
	cleanup_str struct str text = STR_INIT, wanted = STR_INIT;
	cleanup_free char *number = NULL;
	uint64_t generation = 0;

	if (fd_read_file_at(AT_FDCWD, path, NOTE_LIMIT, &text) < 0)
		return 0;
	number = str_ndup(str_get(&text), strcspn(str_get(&text), " "));
	if (num_parse_u64(number, &generation) < 0)
		return 0;
	format_note(fd, (uint32_t)generation, &wanted);
	return strcmp(str_get(&text), str_get(&wanted)) == 0 ? (uint32_t)generation : 0;
}

void rules_note(struct rules_session *session, uint32_t generation)
{
	cleanup_free char *path = note_path(session->runroot);
	/* One name for all, who hold the lock: a death leaves one at most, and the next takes it.
	 */
	cleanup_free char *fresh = str_printf("%s.new", path);
	cleanup_str struct str text = STR_INIT;

	session->generation = generation;
	format_note(session->fd, generation, &text);
	/* Without a note, the tables are compared each time: no harm. */
	if (fd_write_file_at(AT_FDCWD, fresh, str_get(&text), text.len, 0600) < 0 ||
	    rename(fresh, path) < 0)
		unlink(fresh);
}

/* Without a generation: what a death between making the tables and noting that they are made
 * leaves, so that whoever looks for tables to remove finds a note. */
static void note_intent(const struct rules_session *session)
{
	cleanup_free char *path = note_path(session->runroot);
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		log_debug("open %s: %m", path);
}

/* ---- sessions ---- */

int rules_error(int errnum, struct err *err)
{
	switch (errnum) {
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
	case EINVAL:
	case EOPNOTSUPP:
		err_set(err, ERR_UNSUPPORTED,
			"this kernel has no nf_tables (or not all of it): no bridge network is "
			"possible");
		return err_hint(err, "load its modules (modprobe nf_tables nft_nat nft_masq "
				     "nft_fib_inet), or use --network host or none");
	case EPERM:
		return err_set(err, ERR_DENIED,
			       "the firewall may not be changed here: permission "
			       "denied");
	default:
		return err_sys(err, errnum, "change the firewall");
	}
}

static int open_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? -errno : fd;
}

static int take_lock(const char *runroot, struct err *err)
{
	cleanup_free char *dir = str_printf("%s/networks", runroot);
	cleanup_free char *path = str_printf("%s/rules.lock", dir);
	cleanup_close int fd = open_lock(path);
	int rc = 0;

	if (fd == -ENOENT) {
		rc = fd_mkdir_p(dir, 0711);
		fd = rc < 0 ? rc : open_lock(path);
	}
	if (fd < 0)
		return err_sys(err, -fd, "open %s", path);
	do
		rc = flock(fd, LOCK_EX);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? err_sys(err, errno, "lock %s", path) : take_fd(fd);
}

/* The process's socket, kept for its next use and closed by its end. Closing one waits until the
 * kernel has freed what anybody's transactions took out of the rules just before
 * (nft_rcv_nl_event): a grace period of 10 ms, in which nobody else can change them either. What a
 * monitor inherits it holds without using it, so that its command, whose end somebody waits for,
 * closes nothing but a second name. */
static struct {
	int fd;
	pid_t owner;
	uint64_t namespace;
	int inherited;
} kept = {.fd = -1, .inherited = -1};

static void settle_owner(void)
{
	if (kept.fd < 0 || kept.owner == getpid())
		return;
	kept.inherited = kept.fd;
	kept.fd = -1;
}

static uint64_t own_namespace(void)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return namespace_id(fd);
}

/* A monitor closes all descriptors that are none of its own when a start is done, and the number
 * may be another file's by now. */
static bool is_netfilter_socket(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == NETLINK_NETFILTER;
}

static int open_socket(void)
{
	settle_owner();
	if (kept.fd >= 0 && is_netfilter_socket(kept.fd) && kept.namespace == own_namespace())
		return take_fd(kept.fd);
	kept.fd = -1;
	return nft_open();
}

static void keep_socket(int fd)
{
	settle_owner();
	if (kept.fd >= 0 && is_netfilter_socket(kept.fd))
		close(kept.fd);
	kept.fd = fd;
	kept.owner = getpid();
	kept.namespace = namespace_id(fd);
}

size_t rules_get_fds(int ret[static 2])
{
	settle_owner();
	ret[0] = kept.fd;
	ret[1] = kept.inherited;
	return 2;
}

/* Whether there is a note, and it is that of the kernel's generation. */
static bool is_noted(const char *runroot, int fd, uint32_t *ret_noted)
{
	uint32_t generation = 0;

	*ret_noted = read_note(runroot, fd);
	return *ret_noted && nft_generation(fd, &generation) == 0 && generation == *ret_noted;
}

bool rules_are_current(const char *runroot)
{
	int fd = open_socket();
	cleanup_close int lock = -1;
	struct err ignored = ERR_INIT;
	uint32_t noted = 0;
	bool are_current = fd >= 0 && is_noted(runroot, fd, &noted);

	/* A change of our own that is made, and about to be noted? */
	if (noted && !are_current) {
		lock = take_lock(runroot, &ignored);
		are_current = lock >= 0 && is_noted(runroot, fd, &noted);
	}
	if (fd >= 0)
		keep_socket(fd);
	return are_current;
}

void rules_linger(void)
{
	const struct timespec grace = {.tv_nsec = 30000000};

	settle_owner();
	if (kept.fd >= 0)
		nanosleep(&grace, NULL);
}

int rules_session_begin(struct rules_session *session, const char *runroot, struct err *err)
{
	session->runroot = runroot;
	session->lock = take_lock(runroot, err);
	if (session->lock < 0)
		return session->lock;
	session->fd = open_socket();
	if (session->fd < 0)
		return rules_error(-session->fd, err);
	session->generation = read_note(runroot, session->fd);
	return 0;
}

void rules_session_done(struct rules_session *session)
{
	/* Whoever waits for the lock does not wait for the socket. */
	fd_cleanup_close(&session->lock);
	if (session->fd >= 0)
		keep_socket(take_fd(session->fd));
}

/* ---- transactions ---- */

/* Sends what FILL adds as one transaction for GENERATION (0: for any). */
static int send_once(struct rules_session *session, uint32_t generation, rules_fill_fn fill,
		     void *data)
{
	cleanup_netlink_batch struct netlink_batch batch = NETLINK_BATCH_INIT;
	size_t n = 0;
	int rc = 0;

	nft_begin(&batch, generation);
	n = batch.n_messages;
	rc = fill(&batch, data);
	if (rc < 0 || batch.n_messages == n)
		return rc;
	nft_end(&batch);
	rc = netlink_send(session->fd, &batch, NULL);
	if (rc == 0 && generation)
		rules_note(session, generation + 1 ? generation + 1 : 1);
	return rc;
}

int rules_send(struct rules_session *session, rules_fill_fn fill, void *data)
{
	int rc = send_once(session, session->generation, fill, data);

	if (rc != -ERESTART)
		return rc;
	session->generation = 0;
	return send_once(session, 0, fill, data);
}

/* ---- loading ---- */

struct load {
	struct rules_content *inet, *bridge; /* NULL: to be removed */
	struct nft_table tables[2];
};

static int fill_content(struct netlink_batch *batch, const struct rules_content *content)
{
	const struct nft_table *table = &content->table;
	int rc = nft_add_content(batch, table);

	for (size_t i = 0; i < table->n_sets && rc == 0; i++)
		rc = nft_add_elements(batch, table, &table->sets[i],
				      (const char *const *)content->elements[i].items,
				      content->elements[i].n);
	return rc;
}

static int fill_load(struct netlink_batch *batch, void *data)
{
	struct load *load = data;
	struct rules_content *contents[] = {load->inet, load->bridge};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(contents) && rc == 0; i++) {
		/* A table that is not there cannot be deleted: so it is made first. */
		nft_add_table(batch, &load->tables[i]);
		nft_delete_table(batch, &load->tables[i]);
		if (!contents[i])
			continue;
		nft_add_table(batch, &load->tables[i]);
		rc = fill_content(batch, contents[i]);
	}
	return rc;
}

/* The key of an element ends here. */
static size_t key_len(const char *element)
{
	const char *colon = strstr(element, " : ");

	return colon ? (size_t)(colon - element) : strlen(element);
}

static int compare_keys(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t nx = key_len(x), ny = key_len(y);
	int order = memcmp(x, y, nx < ny ? nx : ny);

	return order ? order : (nx > ny) - (nx < ny);
}

/* Of elements with one key, one stays: two containers cannot hold one port, so one of them is
 * about to be found dead. */
static void unique_keys(struct rules_content *content)
{
	for (size_t i = 0; i < content->table.n_sets; i++) {
		struct strv *v = &content->elements[i];

		if (v->n > 1)
			qsort(v->items, v->n, sizeof(*v->items), compare_keys);
		for (size_t k = v->n; k-- > 1;)
			if (compare_keys(&v->items[k - 1], &v->items[k]) == 0)
				strv_remove(v, k);
	}
}

int rules_load(struct rules_session *session, struct rules_content *inet,
	       struct rules_content *bridge, bool is_closed, struct err *err)
{
	struct load load = {.inet = inet,
			    .bridge = is_closed ? bridge : NULL,
			    .tables = {inet->table, bridge->table}};
	int rc = -ERESTART;

	unique_keys(inet);
	unique_keys(bridge);
	note_intent(session);
	for (int i = 0; i < LOAD_TRIES && rc == -ERESTART; i++) {
		uint32_t generation = 0;

		rc = nft_generation(session->fd, &generation);
		if (rc == 0)
			rc = send_once(session, generation, fill_load, &load);
	}
	/* Somebody changes tables all the time: then without knowing. */
	if (rc == -ERESTART)
		rc = send_once(session, 0, fill_load, &load);
	return rc < 0 ? rules_error(-rc, err) : 0;
}

int rules_remove(struct rules_session *session, const char *name, struct err *err)
{
	struct load load = {.tables = {rules_inet_table(name), rules_bridge_table(name)}};
	int rc = rules_send(session, fill_load, &load);

	return rc < 0 ? rules_error(-rc, err) : 0;
}

/* ---- single elements ---- */

struct change {
	const struct rules_content *content;
	int fd;
	bool makes_table;
	bool is_careful; /* the kernel has refused the quick way */
};

static int fill_add_set(struct netlink_batch *batch, const struct change *change, size_t i)
{
	const struct nft_table *table = &change->content->table;
	const struct nft_set *set = &table->sets[i];
	const struct strv *elements = &change->content->elements[i];
	int rc = 0;

	if (!change->is_careful)
		return nft_add_elements(batch, table, set, (const char *const *)elements->items,
					elements->n);
	for (size_t k = 0; k < elements->n && rc == 0; k++) {
		const char *element = elements->items[k];
		int found = nft_find_element(change->fd, table, set, element);

		if (found < 0)
			return found;
		/* Of a container that nobody has found dead yet. */
		if (found == NFT_FOUND_OTHER)
			rc = nft_delete_elements(batch, table, set, &element, 1);
		if (rc == 0 && found != NFT_FOUND_SAME)
			rc = nft_add_elements(batch, table, set, &element, 1);
	}
	return rc;
}

static int fill_add(struct netlink_batch *batch, void *data)
{
	const struct change *change = data;
	const struct nft_table *table = &change->content->table;
	int rc = 0;

	if (change->makes_table) {
		nft_add_table(batch, table);
		rc = nft_add_content(batch, table);
	}
	for (size_t i = 0; i < table->n_sets && rc == 0; i++)
		rc = fill_add_set(batch, change, i);
	return rc;
}

int rules_add(struct rules_session *session, const struct rules_content *content, bool needs_table,
	      struct err *err)
{
	struct change change = {.content = content, .fd = session->fd};
	int rc = needs_table ? nft_has_table(session->fd, &content->table) : 1;

	if (rc >= 0) {
		change.makes_table = rc == 0;
		if (change.makes_table)
			note_intent(session);
		rc = rules_send(session, fill_add, &change);
	}
	if (rc == -EEXIST || rc == -EBUSY) {
		change.is_careful = true;
		rc = rules_send(session, fill_add, &change);
	}
	if (rc == -ENOENT) {
		err_set(err, ERR_UNAVAILABLE,
			"the firewall was removed by somebody else meanwhile");
		return err_hint(err, "try again");
	}
	return rc < 0 ? rules_error(-rc, err) : 0;
}

static int fill_take(struct netlink_batch *batch, void *data)
{
	const struct change *change = data;
	const struct nft_table *table = &change->content->table;
	int rc = 0;

	for (size_t i = 0; i < table->n_sets; i++)
		for (size_t k = 0; k < change->content->elements[i].n && rc == 0; k++) {
			const char *element = change->content->elements[i].items[k];

			rc = nft_find_element(change->fd, table, &table->sets[i], element);
			if (rc == NFT_FOUND_SAME)
				rc = nft_delete_elements(batch, table, &table->sets[i], &element,
							 1);
			else
				rc = rc < 0 ? rc : 0;
		}
	return rc;
}

int rules_take(struct rules_session *session, const struct rules_content *content, struct err *err)
{
	struct change change = {.content = content, .fd = session->fd};
	int rc = rules_send(session, fill_take, &change);

	return rc < 0 && rc != -ENOENT ? rules_error(-rc, err) : 0;
}

/* ---- comparing ---- */

bool rules_compare(struct rules_state *state, const char *runroot)
{
	cleanup_rules_session struct rules_session session = RULES_SESSION_INIT;
	cleanup_rules_content struct rules_content inet = {}, bridge = {};
	cleanup_strv struct strv bridges = STRV_INIT;
	struct err ignored = ERR_INIT;
	uint32_t generation = 0;
	bool is_closed = false;

	if (rules_session_begin(&session, runroot, &ignored) < 0 ||
	    nft_generation(session.fd, &generation) < 0 ||
	    (state->refill && state->refill(state, &ignored) < 0))
		return false;
	is_closed = rules_fill(state, &inet, &bridge);
	unique_keys(&inet);
	rules_bridges(state, &bridges);
	/* A bridge table that nobody needs any more does no harm. */
	if (nft_is_same(session.fd, &inet.table, inet.elements) != 1 ||
	    (is_closed && nft_is_same(session.fd, &bridge.table, bridge.elements) != 1) ||
	    !rules_user_chain_is_right(session.fd, &bridges))
		return false;
	rules_note(&session, generation);
	return true;
}
