/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports as text.
 */
#include "engine/port_text.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TEXT ((size_t)4 << 20)
#define HOST_LEN (IP_TEXT_LEN + 2)

/* One port to be shown. */
struct shown {
	uint16_t inside, outside;
	char proto[8];
	char host[HOST_LEN];  /* "" for one that is only exposed; "[::]" */
	char plain[HOST_LEN]; /* without brackets: what is ordered by */
};

struct shown_list {
	struct shown *items; /* owned */
	size_t n;
};

static int parse_port(const char *text, size_t len, uint16_t *ret, struct err *err)
{
	cleanup_free char *digits = str_ndup(text, len);
	uint64_t port = 0;

	/* Digits alone: no sign, no blank. */
	if (!len || digits[strspn(digits, "0123456789")])
		return err_set(err, ERR_INVALID,
			       "strconv.ParseUint: parsing \"%s\": invalid syntax", digits);
	if (num_parse_u64(digits, &port) < 0 || port > UINT16_MAX)
		return err_set(err, ERR_INVALID,
			       "strconv.ParseUint: parsing \"%s\": value out of range", digits);
	*ret = (uint16_t)port;
	return 0;
}

int port_range_parse(const char *text, struct port_range *ret, struct err *err)
{
	size_t len = strcspn(text, "-");
	const char *last = text[len] ? text + len + 1 : text;

	if (!*text)
		return err_set(err, ERR_INVALID, "empty string specified for ports");
	if (parse_port(text, len, &ret->first, err) < 0 ||
	    parse_port(last, strcspn(last, "-"), &ret->last, err) < 0)
		return -err->code;
	if (ret->last < ret->first)
		return err_set(err, ERR_INVALID, "invalid range specified for port: %s", text);
	return 0;
}

char *port_split_proto(const char *text, const char **ret_proto)
{
	size_t len = strcspn(text, "/");

	*ret_proto = text[len] && text[len + 1] ? text + len + 1 : "tcp";
	return str_ndup(text, len);
}

static void format_host(const struct ip_addr *addr, char buf[static HOST_LEN])
{
	char text[IP_TEXT_LEN];

	snprintf(buf, HOST_LEN, addr->family == IP_V6 ? "[%s]" : "%s", ip_format(addr, text));
}

static struct shown *add(struct shown_list *list)
{
	list->items = mem_realloc_array(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n] = (struct shown){};
	return &list->items[list->n++];
}

static bool read_exposed(const char *text, struct shown *ret)
{
	size_t len = strcspn(text, "/");
	cleanup_free char *digits = str_ndup(text, len);
	uint64_t port = 0;

	if (num_parse_u64(digits, &port) < 0 || port > UINT16_MAX)
		return false;
	ret->inside = (uint16_t)port;
	snprintf(ret->proto, sizeof(ret->proto), "%s", text[len] ? text + len + 1 : "tcp");
	return true;
}

static bool is_published(const struct live_network *live, const struct shown *exposed)
{
	for (size_t i = 0; i < live->n_ports; i++)
		if (live->ports[i].container_port == exposed->inside && live->ports[i].host_port &&
		    strcmp(live->ports[i].proto, exposed->proto) == 0)
			return true;
	return false;
}

/* docker's order. */
static int compare_shown(const void *a, const void *b)
{
	const struct shown *x = a;
	const struct shown *y = b;
	int rc = 0;

	if (x->inside != y->inside)
		return x->inside < y->inside ? -1 : 1;
	rc = strcmp(x->plain, y->plain);
	if (rc == 0 && x->outside != y->outside)
		return x->outside < y->outside ? -1 : 1;
	return rc ? rc : strcmp(x->proto, y->proto);
}

static void collect(const struct live_network *live, const struct strv *exposed,
		    struct shown_list *ret)
{
	for (size_t i = 0; i < live->n_ports; i++) {
		const struct published_port *p = &live->ports[i];
		struct shown *s = NULL;

		if (!p->host_port)
			continue;
		s = add(ret);
		s->inside = p->container_port;
		s->outside = p->host_port;
		snprintf(s->proto, sizeof(s->proto), "%s", p->proto);
		format_host(&p->host_ip, s->host);
		ip_format(&p->host_ip, s->plain);
	}
	strv_foreach (i, exposed) {
		struct shown s = {};

		if (read_exposed(exposed->items[i], &s) && !is_published(live, &s))
			*add(ret) = s;
	}
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare_shown);
}

/* ---- the column ---- */

/* Neighbours that are shown as one: FIRST-LAST of one protocol at one address. */
struct run {
	const struct shown *first;
	uint16_t last;
};

static void format_run(const struct run *run, struct strv *ret)
{
	const struct shown *s = run->first;
	char range[16];

	if (run->last == s->inside)
		snprintf(range, sizeof(range), "%u", s->inside);
	else
		snprintf(range, sizeof(range), "%u-%u", s->inside, run->last);
	if (s->host[0])
		strv_addf(ret, "%s:%s->%s/%s", s->host, range, range, s->proto);
	else
		strv_addf(ret, "%s/%s", range, s->proto);
}

static struct run *find_run(struct run *runs, size_t n, const struct shown *s)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(runs[i].first->host, s->host) == 0 &&
		    strcmp(runs[i].first->proto, s->proto) == 0)
			return &runs[i];
	return NULL;
}

/* A run that is interrupted comes at once, then those that are left in the order in which they
 * began, then ports with another number outside: docker's order. */
static void format_list(const struct shown_list *list, struct strv *ret)
{
	cleanup_free struct run *runs = mem_realloc_array(NULL, list->n + 1, sizeof(*runs));
	cleanup_strv struct strv others = STRV_INIT;
	size_t n_runs = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct shown *s = &list->items[i];
		struct run *run = find_run(runs, n_runs, s);

		if (s->host[0] && s->outside != s->inside) {
			strv_addf(&others, "%s:%u->%u/%s", s->host, s->outside, s->inside,
				  s->proto);
			continue;
		}
		if (!run) {
			runs[n_runs++] = (struct run){.first = s, .last = s->inside};
			continue;
		}
		if (s->inside != run->last + 1) {
			format_run(run, ret);
			run->first = s;
		}
		run->last = s->inside;
	}
	for (size_t i = 0; i < n_runs; i++)
		format_run(&runs[i], ret);
	strv_add_all(ret, &others);
}

char *port_text_column(const struct live_network *live, const struct strv *exposed)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct shown_list list = {};

	collect(live, exposed, &list);
	format_list(&list, &words);
	free(list.items);
	return strv_join(&words, ", ");
}

int port_text_write(int state_dir, const struct live_network *live, const struct strv *exposed,
		    struct err *err)
{
	const struct strv none = STRV_INIT;
	/* Without a network nothing is exposed to anybody. */
	cleanup_free char *text = port_text_column(live, live->n_endpoints ? exposed : &none);
	int rc = 0;

	if (*text)
		rc = fd_replace_file_at(state_dir, PORTS_FILE_NAME, text, strlen(text), 0600,
					false);
	else
		unlinkat(state_dir, PORTS_FILE_NAME, 0);
	return rc < 0 ? err_sys(err, -rc, "write down the container's ports") : 0;
}

char *port_text_read(const struct engine *engine, const char *id)
{
	cleanup_free char *path = str_printf("%s/containers/%s/" PORTS_FILE_NAME, engine->runroot,
					     id);
	struct str text = STR_INIT;

	if (fd_read_file_at(AT_FDCWD, path, MAX_TEXT, &text) < 0) {
		str_done(&text);
		return str_dup("");
	}
	return str_take(&text);
}

/* ---- lines ---- */

void port_text_lines(const struct live_network *live, uint16_t port, const char *proto,
		     struct strv *ret)
{
	for (size_t i = 0; i < live->n_ports; i++) {
		const struct published_port *p = &live->ports[i];
		char host[HOST_LEN];

		if (!p->host_port)
			continue;
		format_host(&p->host_ip, host);
		if (!proto)
			strv_addf(ret, "%u/%s -> %s:%u", p->container_port, p->proto, host,
				  p->host_port);
		else if (p->container_port == port && strcmp(p->proto, proto) == 0)
			strv_addf(ret, "%s:%u", host, p->host_port);
	}
}
