/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the control groups of this host are.
 *
 * Three arrangements are usual. v2: one hierarchy at /sys/fs/cgroup. v1: a tmpfs there, and in it
 * one directory for each controller, of which some are links to a hierarchy shared by two ("cpu"
 * and "cpuacct" to "cpu,cpuacct"). Hybrid: v1, with a v2 hierarchy at "unified" that systemd keeps
 * its books in; a controller sits on one of the two, and those that containers need are on v1.
 * statfs(2) on these names tells them apart in a few microseconds; everything else is read from
 * mountinfo.
 */
#include "sys/cgroup.h"

#include "base/fd.h"
#include "base/mem.h"
#include "sys/cgroup_plan.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define CGROUP_TOP	"/sys/fs/cgroup"
#define MOUNTINFO_LIMIT (8UL << 20) /* a host with tens of thousands of mounts */

static const char *const controller_names[CGROUP_N_CONTROLLERS] = {
	[CGROUP_DEVICES] = "devices", [CGROUP_PIDS] = "pids",	  [CGROUP_MEMORY] = "memory",
	[CGROUP_FREEZER] = "freezer", [CGROUP_CPU] = "cpu",	  [CGROUP_CPUACCT] = "cpuacct",
	[CGROUP_BLKIO] = "blkio",     [CGROUP_CPUSET] = "cpuset",
};

const char *cgroup_controller_name(enum cgroup_controller c, enum cgroup_mode mode)
{
	return c == CGROUP_BLKIO && mode == CGROUP_V2 ? "io" : controller_names[c];
}

const char *cgroup_mode_name(enum cgroup_mode mode)
{
	static const char *const names[] = {"none", "v1", "hybrid", "v2"};

	return names[mode];
}

/* ---- adding hierarchies ---- */

static void add_hierarchy(struct cgroup_layout *layout, const char *root, unsigned controllers)
{
	struct cgroup_hierarchy *h = &layout->hierarchies[layout->n];

	if (layout->n >= ARRAY_LEN(layout->hierarchies) || strlen(root) >= sizeof(h->root))
		return;
	memcpy(h->root, root, strlen(root) + 1);
	h->controllers = controllers;
	layout->n++;
}

/* The bits of the controllers named in TEXT, separated by any of SEPARATORS. */
static unsigned parse_controllers(const char *text, const char *separators, enum cgroup_mode mode)
{
	unsigned bits = 0;

	for (const char *p = text; *p; p += strspn(p, separators)) {
		size_t len = strcspn(p, separators);

		for (unsigned c = 0; c < CGROUP_N_CONTROLLERS; c++) {
			const char *name = cgroup_controller_name(c, mode);

			if (strlen(name) == len && memcmp(name, p, len) == 0)
				bits |= 1U << c;
		}
		p += len;
	}
	return bits;
}

static void set_v2(struct cgroup_layout *layout, const char *root)
{
	cleanup_str struct str line = STR_INIT;

	memset(layout, 0, sizeof(*layout));
	layout->mode = CGROUP_V2;
	cgroup_read_line(root, "cgroup.controllers", &line);
	add_hierarchy(layout, root, parse_controllers(str_get(&line), " ", CGROUP_V2));
}

/* ---- the usual places ---- */

static bool has_magic(const char *path, uint64_t magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (uint64_t)fs.f_type == magic;
}

/* One hierarchy may be reached by several names: it is recognised by its device number. */
static void detect_usual_v1(struct cgroup_layout *layout)
{
	dev_t devices[CGROUP_N_CONTROLLERS] = {};
	char path[CGROUP_ROOT_LEN];
	struct stat st;

	for (unsigned c = 0; c < CGROUP_N_CONTROLLERS; c++) {
		size_t i = 0;

		snprintf(path, sizeof(path), CGROUP_TOP "/%s", controller_names[c]);
		if (!has_magic(path, CGROUP_SUPER_MAGIC) || stat(path, &st) < 0)
			continue;
		while (i < layout->n && devices[i] != st.st_dev)
			i++;
		if (i < layout->n) {
			layout->hierarchies[i].controllers |= 1U << c;
			continue;
		}
		devices[i] = st.st_dev;
		add_hierarchy(layout, path, 1U << c);
	}
	if (layout->n > 0)
		layout->mode = has_magic(CGROUP_TOP "/unified", CGROUP2_SUPER_MAGIC) ? CGROUP_HYBRID
										     : CGROUP_V1;
}

void cgroup_detect(struct cgroup_layout *ret)
{
	cleanup_str struct str text = STR_INIT;

	memset(ret, 0, sizeof(*ret));
	if (has_magic(CGROUP_TOP, CGROUP2_SUPER_MAGIC)) {
		set_v2(ret, CGROUP_TOP);
		return;
	}
	if (has_magic(CGROUP_TOP, TMPFS_MAGIC))
		detect_usual_v1(ret);
	if (cgroup_find(ret, CGROUP_CPU) && cgroup_find(ret, CGROUP_DEVICES))
		return;
	if (fd_read_kernel_file("/proc/self/mountinfo", MOUNTINFO_LIMIT, &text) == 0)
		cgroup_detect_mountinfo(str_get(&text), ret);
}

/* ---- mountinfo ---- */

/* mountinfo writes space, tab, newline and backslash as \ooo; a hierarchy mounted on such a name is
 * left out. The line is cut into words in place. */
static void detect_mount(char *line, struct cgroup_layout *layout, char *v2_root)
{
	char *separator = strstr(line, " - ");
	char root[CGROUP_ROOT_LEN], type[16], options[256];
	unsigned controllers = 0;

	if (!separator || sscanf(line, "%*s %*s %*s %*s %127s", root) != 1 || strchr(root, '\\') ||
	    sscanf(separator, " - %15s %*s %255s", type, options) != 2)
		return;
	if (strcmp(type, "cgroup2") == 0 && !v2_root[0])
		memcpy(v2_root, root, sizeof(root));
	if (strcmp(type, "cgroup") != 0)
		return;
	controllers = parse_controllers(options, ",", CGROUP_V1);
	for (size_t i = 0; i < layout->n; i++)
		controllers &= ~layout->hierarchies[i].controllers;
	if (controllers)
		add_hierarchy(layout, root, controllers);
}

void cgroup_detect_mountinfo(const char *text, struct cgroup_layout *ret)
{
	char v2_root[CGROUP_ROOT_LEN] = "";

	memset(ret, 0, sizeof(*ret));
	while (*text) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = str_ndup(text, len);

		detect_mount(line, ret, v2_root);
		text += len + (text[len] != '\0');
	}
	if (ret->n > 0)
		ret->mode = v2_root[0] ? CGROUP_HYBRID : CGROUP_V1;
	else if (v2_root[0])
		set_v2(ret, v2_root);
}

/* ---- using a layout ---- */

const struct cgroup_hierarchy *cgroup_find(const struct cgroup_layout *layout,
					   enum cgroup_controller c)
{
	for (size_t i = 0; i < layout->n; i++)
		if (layout->hierarchies[i].controllers & (1U << c))
			return &layout->hierarchies[i];
	return NULL;
}

char *cgroup_dir(const struct cgroup_layout *layout, enum cgroup_controller c, const char *name)
{
	const struct cgroup_hierarchy *h = cgroup_find(layout, c);

	return h ? str_printf("%s/%s", h->root, name) : NULL;
}

bool cgroup_name_is_valid(const char *name)
{
	for (const char *p = name;; p++) {
		size_t len = strcspn(p, "/");

		if (len == 0 || len > 255 || (len == 1 && p[0] == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += len;
		if (!*p)
			return true;
	}
}
