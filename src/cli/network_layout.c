/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of a picture of networks. A group is laid out from above: each network's box to the
 * right of the rails that still run, below it the containers whose last network it is, so that
 * rails are short and none is crossed by a box.
 */
#include "cli/network_layout.h"

#include "base/mem.h"
#include "json/rune.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_WIDTH  20
#define LEAST_BOX    12
#define RAIL_STEP    3
#define RAIL_INSET   1 /* from a network's left border to its rail */
#define GAP	     3 /* columns between groups */
#define BORDER_WIDTH 4 /* "| " and " |" */
#define TITLE_WIDTH  6 /* "+- " and " -+" */
#define NONE	     SIZE_MAX
/* Of a page: a line is about as high as two columns, and pages are 4 wide where they are 3 high. */
#define PAGE_COLUMNS(lines) ((lines)*2 * 4 / 3)

struct layout_making {
	const struct network_model *model;
	const struct layout_options *options;
	struct network_layout *layout;
	size_t *group;	    /* of each network: the lowest index of its group */
	bool *is_shown;	    /* of each network */
	size_t *rails;	    /* of each network: index in layout->rails */
	size_t x, y, width; /* of the group being laid out */
	size_t n_colors;
};

void network_layout_done(struct network_layout *layout)
{
	for (size_t i = 0; i < layout->n_boxes; i++) {
		struct layout_box *box = &layout->boxes[i];

		for (size_t k = 0; k < box->n_lines; k++)
			free(box->lines[k].text);
		free(box->lines);
		free(box->title);
		free(box->subtitle);
	}
	free(layout->boxes);
	free(layout->rails);
	free(layout->joints);
	*layout = (struct network_layout){};
}

/* ---- text ---- */

static size_t width_of(const char *text)
{
	return rune_text_width(text, strlen(text));
}

/* Owned: TEXT with "?" for what cannot be shown, cut to MAX columns. */
static char *fit(const struct layout_making *m, const char *text, size_t max)
{
	struct str out = STR_INIT;
	size_t len = strlen(text), width = 0;

	for (size_t i = 0; i < len;) {
		uint32_t rune = 0;

		i += rune_decode(text + i, len - i, &rune);
		if ((rune != ' ' && !rune_is_print(rune)) || rune == RUNE_ERROR ||
		    (m->options->is_ascii && rune >= 0x80))
			rune = '?';
		width += rune_width(rune);
		str_add_rune(&out, rune);
	}
	if (width > max) {
		cleanup_free char *whole = str_take(&out);

		if (!m->options->is_ascii)
			str_add_ellipsis(&out, whole, max);
		else if (max > 0)
			str_addf(&out, "%.*s~", (int)max - 1, whole);
	}
	return str_take(&out);
}

/* ---- parts ---- */

static struct layout_box *add_box(struct layout_making *m)
{
	struct network_layout *l = m->layout;

	l->boxes = mem_realloc_array(l->boxes, l->n_boxes + 1, sizeof *l->boxes);
	l->boxes[l->n_boxes] = (struct layout_box){.rail = NONE};
	return &l->boxes[l->n_boxes++];
}

/* Takes TEXT. */
static void add_line(struct layout_box *box, enum layout_style style, char *text)
{
	box->lines = mem_realloc_array(box->lines, box->n_lines + 1, sizeof *box->lines);
	box->lines[box->n_lines++] = (struct layout_line){.text = text, .style = style};
}

static size_t add_rail(struct layout_making *m, size_t x, size_t y)
{
	struct network_layout *l = m->layout;

	l->rails = mem_realloc_array(l->rails, l->n_rails + 1, sizeof *l->rails);
	l->rails[l->n_rails] = (struct layout_rail){
		.x = x, .y = y, .y_end = y, .color = m->n_colors++};
	return l->n_rails++;
}

static void add_joint(struct layout_making *m, size_t rail, size_t y, size_t x_end)
{
	struct network_layout *l = m->layout;

	l->joints = mem_realloc_array(l->joints, l->n_joints + 1, sizeof *l->joints);
	l->joints[l->n_joints++] = (struct layout_joint){.rail = rail, .y = y, .x_end = x_end};
	l->rails[rail].y_end = y;
}

/* The columns that BOX would like to have. */
static size_t natural_width(const struct layout_box *box)
{
	size_t width = width_of(box->title) + TITLE_WIDTH +
		       (box->subtitle[0] ? width_of(box->subtitle) + 1 : 0);

	for (size_t i = 0; i < box->n_lines; i++) {
		size_t line = width_of(box->lines[i].text) + BORDER_WIDTH;

		width = line > width ? line : width;
	}
	return width > LEAST_BOX ? width : LEAST_BOX;
}

/* Puts BOX at X and the current line; WIDTH is what it would like. What does not fit is cut. */
static void place_box(struct layout_making *m, struct layout_box *box, size_t x, size_t width)
{
	size_t room = m->width > x - m->x + LEAST_BOX ? m->width - (x - m->x) : LEAST_BOX;
	char *cut = NULL;

	box->x = x;
	box->y = m->y;
	box->width = width < room ? width : room;
	box->height = box->n_lines + 2;
	cut = fit(m, box->title, box->width - TITLE_WIDTH);
	free(box->title);
	box->title = cut;
	room = box->width - TITLE_WIDTH - width_of(cut);
	cut = fit(m, box->subtitle, room > 0 ? room - 1 : 0);
	free(box->subtitle);
	box->subtitle = cut;
	for (size_t i = 0; i < box->n_lines; i++) {
		cut = fit(m, box->lines[i].text, box->width - BORDER_WIDTH);
		free(box->lines[i].text);
		box->lines[i].text = cut;
	}
	m->y += box->height;
	if (x + box->width > m->layout->width)
		m->layout->width = x + box->width;
	if (m->y > m->layout->height)
		m->layout->height = m->y;
}

/* ---- what boxes say ---- */

static void add_word(struct str *out, bool is_true, const char *word)
{
	if (is_true)
		str_addf(out, "%s%s", out->len ? ", " : "", word);
}

static const char *mode_word(const struct network *n, int family)
{
	static const char *const words[][2] = {
		[GATEWAY_NAT] = {NULL, NULL},
		[GATEWAY_NAT_UNPROTECTED] = {"unprotected", "IPv6 unprotected"},
		[GATEWAY_ROUTED] = {"routed", "IPv6 routed"},
		[GATEWAY_ISOLATED] = {"isolated", "IPv6 isolated"},
	};

	return words[n->gateway_mode[family == IP_V6]][family == IP_V6];
}

static char *network_words(const struct network *n)
{
	const char *mode4 = n->is_ipv4 ? mode_word(n, IP_V4) : NULL;
	const char *mode6 = n->is_ipv6 ? mode_word(n, IP_V6) : NULL;
	struct str out = STR_INIT;

	add_word(&out, n->bridge[0], n->bridge);
	if (network_has_parent(n))
		str_addf(&out, n->parent[0] ? "parent %s" : "no parent", n->parent);
	if (n->mode[0])
		str_addf(&out, "%smode %s", out.len ? ", " : "", n->mode);
	add_word(&out, n->is_internal, "internal");
	if (n->driver == NETWORK_BRIDGE) {
		add_word(&out, !n->is_icc, "icc=false");
		add_word(&out, !n->is_masquerade, "not masqueraded");
	}
	add_word(&out, mode4 != NULL, mode4);
	add_word(&out, mode6 != NULL, mode6);
	return str_take(&out);
}

static struct layout_box *add_network_box(struct layout_making *m, const struct network *n)
{
	struct layout_box *box = add_box(m);
	cleanup_free char *words = network_words(n);

	box->is_network = true;
	box->title = str_dup(n->name);
	box->subtitle = str_dup(strcmp(n->name, n->driver_name) == 0 ? "" : n->driver_name);
	for (size_t i = 0; i < n->n_pools; i++) {
		char subnet[IP_PREFIX_TEXT_LEN], gateway[IP_TEXT_LEN];
		bool has_gateway = n->pools[i].gateway.family != IP_NONE;

		add_line(box, LAYOUT_PLAIN,
			 str_printf("%s%s%s", ip_prefix_format(&n->pools[i].subnet, subnet),
				    has_gateway ? "  gateway " : "",
				    has_gateway ? ip_format(&n->pools[i].gateway, gateway) : ""));
	}
	if (words[0])
		add_line(box, LAYOUT_DIM, take_ptr(words));
	return box;
}

/* "eth0  172.18.0.2  fd00::2"; the network is named where the picture does not show it. */
static char *endpoint_text(const struct layout_making *m, const struct model_endpoint *e)
{
	char ip4[IP_TEXT_LEN], ip6[IP_TEXT_LEN];
	struct str out = STR_INIT;

	str_add(&out, e->ifname);
	if (e->ip4.addr.family != IP_NONE)
		str_addf(&out, "  %s", ip_format(&e->ip4.addr, ip4));
	if (e->ip6.addr.family != IP_NONE)
		str_addf(&out, "  %s", ip_format(&e->ip6.addr, ip6));
	if (!m->is_shown[e->network])
		str_addf(&out, "  (%s)", m->model->networks[e->network].network.name);
	return str_take(&out);
}

/* One published on every address of both families is one line. */
static bool is_twin(const struct published_port *a, const struct published_port *b)
{
	return ip_is_any(&a->host_ip) && ip_is_any(&b->host_ip) && a->host_port == b->host_port &&
	       a->container_port == b->container_port && strcmp(a->proto, b->proto) == 0;
}

static void add_port_lines(struct layout_box *box, const struct model_container *c)
{
	for (size_t i = 0; i < c->n_ports; i++) {
		bool has_twin = i + 1 < c->n_ports && is_twin(&c->ports[i], &c->ports[i + 1]);
		cleanup_free char *text = published_port_text(&c->ports[i]);

		add_line(box, LAYOUT_PORT,
			 has_twin ? str_printf("*%s", strchr(text, ':')) : take_ptr(text));
		i += has_twin;
	}
}

static void add_guest_lines(const struct layout_making *m, struct layout_box *box,
			    const struct model_container *c)
{
	for (size_t i = 0; i < m->model->n_containers; i++) {
		const struct model_container *other = &m->model->containers[i];

		if (other->place == PLACE_SHARED && model_container_owner(m->model, other) == c)
			add_line(box, LAYOUT_DIM, str_printf("shared with %s", other->name));
	}
}

static struct layout_box *add_container_box(struct layout_making *m,
					    const struct model_container *c)
{
	struct layout_box *box = add_box(m);

	box->title = str_dup(c->name);
	box->subtitle = str_dup(c->image);
	for (size_t i = 0; i < c->n_endpoints; i++)
		add_line(box, LAYOUT_PLAIN, endpoint_text(m, &c->endpoints[i]));
	add_port_lines(box, c);
	add_guest_lines(m, box, c);
	return box;
}

/* ---- groups ---- */

static bool is_drawn(const struct network *n)
{
	return n->driver != NETWORK_HOST && n->driver != NETWORK_NULL;
}

/* Networks that have a container in common get the same number. */
static void find_groups(struct layout_making *m)
{
	const struct network_model *model = m->model;

	for (size_t i = 0; i < model->n_networks; i++) {
		m->group[i] = i;
		m->is_shown[i] = is_drawn(&model->networks[i].network) &&
				 (!m->options->selected_networks ||
				  m->options->selected_networks[i]);
	}
	for (size_t i = 0; i < model->n_containers; i++) {
		const struct model_container *c = &model->containers[i];
		size_t first = NONE;

		for (size_t k = 0; k < c->n_endpoints; k++) {
			size_t at = c->endpoints[k].network;

			if (!m->is_shown[at])
				continue;
			if (first == NONE)
				first = m->group[at];
			size_t low = m->group[at] < first ? m->group[at] : first;
			size_t high = m->group[at] < first ? first : m->group[at];

			for (size_t n = 0; n < model->n_networks; n++)
				if (m->group[n] == high)
					m->group[n] = low;
			first = low;
		}
	}
}

/* The last network of C that is shown; NONE. */
static size_t last_network(const struct layout_making *m, const struct model_container *c)
{
	size_t last = NONE;

	for (size_t i = 0; i < c->n_endpoints; i++) {
		size_t at = c->endpoints[i].network;

		if (m->is_shown[at] && (last == NONE || at > last))
			last = at;
	}
	return last;
}

/* Whether a container below network AT is still to come for the rail of NETWORK: then it runs on.
 */
static bool is_running(const struct layout_making *m, size_t network, size_t at)
{
	for (size_t i = 0; i < m->model->n_containers; i++) {
		const struct model_container *c = &m->model->containers[i];
		size_t last = last_network(m, c);

		if (last != NONE && last >= at && model_container_is_in(c, network))
			return true;
	}
	return false;
}

/* Columns of the rails that run on at network AT: those of earlier networks of the group, each in
 * the first column that is free. */
static size_t rails_width(const struct layout_making *m, size_t at)
{
	size_t width = 0;

	for (size_t i = 0; i < at; i++) {
		if (m->rails[i] == NONE || m->group[i] != m->group[at] || !is_running(m, i, at))
			continue;
		size_t end = m->layout->rails[m->rails[i]].x - RAIL_INSET + RAIL_STEP - m->x;

		width = end > width ? end : width;
	}
	return width;
}

static void join_container(struct layout_making *m, const struct model_container *c,
			   const struct layout_box *box)
{
	for (size_t i = 0; i < c->n_endpoints; i++) {
		size_t rail = m->rails[c->endpoints[i].network];

		if (m->is_shown[c->endpoints[i].network])
			add_joint(m, rail, box->y + 1 + i, box->x);
	}
}

/* Containers whose last network is AT, those that are in it alone before the others. */
static void lay_out_containers(struct layout_making *m, size_t at, size_t x)
{
	size_t first = m->layout->n_boxes, widest = 0;
	cleanup_free const struct model_container **order = mem_alloc((m->model->n_containers + 1) *
								      sizeof *order);
	size_t n = 0;

	for (int with_others = 0; with_others < 2; with_others++)
		for (size_t i = 0; i < m->model->n_containers; i++) {
			const struct model_container *c = &m->model->containers[i];

			if (last_network(m, c) == at && (c->n_endpoints > 1) == with_others)
				order[n++] = c;
		}
	for (size_t i = 0; i < n; i++) {
		size_t width = natural_width(add_container_box(m, order[i]));

		widest = width > widest ? width : widest;
	}
	for (size_t i = 0; i < n; i++) {
		struct layout_box *box = &m->layout->boxes[first + i];

		place_box(m, box, x, widest);
		join_container(m, order[i], box);
	}
}

static void lay_out_group(struct layout_making *m, size_t group)
{
	for (size_t i = group; i < m->model->n_networks; i++) {
		struct layout_box *box = NULL;
		size_t x = m->x;

		if (!m->is_shown[i] || m->group[i] != group)
			continue;
		x += rails_width(m, i);
		box = add_network_box(m, &m->model->networks[i].network);
		place_box(m, box, x, natural_width(box));
		if (!is_running(m, i, i))
			continue;
		box->rail = m->rails[i] = add_rail(m, x + RAIL_INSET, m->y - 1);
		lay_out_containers(m, i, x + RAIL_STEP + RAIL_INSET);
	}
}

/* Containers that no network is drawn for, in one box: those of the host's network, or of none. */
static void lay_out_rest(struct layout_making *m, enum model_place place, const char *title)
{
	struct layout_box *box = NULL;

	for (size_t i = 0; i < m->model->n_containers; i++) {
		const struct model_container *c = &m->model->containers[i];

		if (c->place != place || c->n_endpoints > 0)
			continue;
		if (!box) {
			box = add_box(m);
			box->title = str_dup(title);
			box->subtitle = str_dup("");
		}
		add_line(box, LAYOUT_PLAIN, str_printf("%s  %s", c->name, c->image));
		add_guest_lines(m, box, c);
	}
	if (box)
		place_box(m, box, m->x, natural_width(box));
}

/* Group I by itself, at the upper left corner: how large it is. */
static void lay_out_at(struct layout_making *m, size_t i)
{
	if (i < m->model->n_networks)
		lay_out_group(m, i);
	else if (i == m->model->n_networks)
		lay_out_rest(m, PLACE_HOST, "host network");
	else
		lay_out_rest(m, PLACE_NETWORKS, "no network");
}

#define N_PLACES(m) ((m)->model->n_networks + 2)

static bool is_group(const struct layout_making *m, size_t i)
{
	if (i >= m->model->n_networks)
		return !m->options->selected_networks;
	return m->is_shown[i] && m->group[i] == i;
}

/* The widest group, and the height of all, when nothing is cut below WIDTH. */
static void measure(struct layout_making *m, size_t width, size_t *ret_widest, size_t *ret_lines)
{
	*m->layout = (struct network_layout){};
	m->width = width;
	m->x = m->y = 0;
	for (size_t i = 0; i < N_PLACES(m); i++)
		if (is_group(m, i))
			lay_out_at(m, i);
	*ret_widest = m->layout->width;
	*ret_lines = m->layout->height;
	network_layout_done(m->layout);
	m->n_colors = 0;
	for (size_t i = 0; i < m->model->n_networks; i++)
		m->rails[i] = NONE;
}

/* Groups go where most room is left, from left to right. */
static void lay_out_columns(struct layout_making *m, size_t column_width, size_t n_columns)
{
	cleanup_free size_t *ends = mem_zalloc(n_columns * sizeof *ends);

	m->width = column_width;
	for (size_t i = 0; i < N_PLACES(m); i++) {
		size_t at = 0;

		if (!is_group(m, i))
			continue;
		for (size_t k = 1; k < n_columns; k++)
			if (ends[k] < ends[at])
				at = k;
		m->x = at * (column_width + GAP);
		m->y = ends[at];
		lay_out_at(m, i);
		ends[at] = m->y;
	}
}

void network_layout_make(const struct network_model *model, const struct layout_options *options,
			 struct network_layout *ret)
{
	size_t n = model->n_networks, widest = 0, lines = 0, n_columns = 1;
	cleanup_free size_t *group = mem_alloc(n * sizeof *group);
	cleanup_free bool *is_shown = mem_alloc(n * sizeof *is_shown);
	cleanup_free size_t *rails = mem_alloc(n * sizeof *rails);
	size_t width = options->width > LEAST_WIDTH ? options->width : LEAST_WIDTH;
	struct layout_making m = {
		.model = model,
		.options = options,
		.layout = ret,
		.group = group,
		.is_shown = is_shown,
		.rails = rails,
	};

	for (size_t i = 0; i < n; i++)
		rails[i] = NONE;
	find_groups(&m);
	measure(&m, options->is_page ? SIZE_MAX / 2 : width, &widest, &lines);
	if (options->is_page) {
		/* n columns of that width, lines / n high */
		while (PAGE_COLUMNS(lines / (n_columns + 1)) > (n_columns + 1) * widest)
			n_columns++;
	} else {
		n_columns = widest ? (width + GAP) / (widest + GAP) : 1;
	}
	lay_out_columns(&m, widest, n_columns ? n_columns : 1);
}
