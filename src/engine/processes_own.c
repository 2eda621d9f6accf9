/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "ps -ef" prints, for a host that has no ps. Command lines are the container's own words:
 * whatever is not printable becomes a question mark, as ps does it.
 */
#include "engine/processes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "json/rune.h"

#define MAX_PROC   65536
#define MAX_PASSWD ((size_t)1 << 20)
#define NAME_LEN   33
#define PTS_MAJOR  136 /* and seven more: Documentation/admin-guide/devices.txt */
#define PTS_MAJORS 8
#define TTY_MAJOR  4
#define N_CONSOLES 64
/* Fields of /proc/PID/stat behind the name, the state being the first. */
enum { STAT_STATE, STAT_PPID, STAT_TTY = 4, STAT_UTIME = 11, STAT_STIME, STAT_START = 19 };

static void add_tty(struct str *out, uint64_t device)
{
	/* the kernel's own encoding in one number: 12 bits of major, 20 of minor */
	unsigned major = (device >> 8) & 0xfff;
	unsigned minor = (unsigned)((device & 0xff) | ((device >> 12) & 0xfff00));

	if (major >= PTS_MAJOR && major < PTS_MAJOR + PTS_MAJORS)
		str_addf(out, "pts/%u", (major - PTS_MAJOR) * 256 + minor);
	else if (major == TTY_MAJOR && minor < N_CONSOLES)
		str_addf(out, "tty%u", minor);
	else
		str_add_char(out, '?');
}

/* "15:04" of today, "Jan02" of this year, "2006". */
static void add_start(struct str *out, int64_t start_s, int64_t now_s)
{
	time_t then = start_s, now = now_s;
	struct tm a, b;
	char text[16];

	localtime_r(&then, &a);
	localtime_r(&now, &b);
	strftime(text, sizeof(text),
		 a.tm_year != b.tm_year	  ? "%Y"
		 : a.tm_yday != b.tm_yday ? "%b%d"
					  : "%H:%M",
		 &a);
	str_add(out, text);
}

static void add_time(struct str *out, uint64_t s)
{
	if (s >= 86400)
		str_addf(out, "%llu-", (unsigned long long)(s / 86400));
	str_addf(out, "%02u:%02u:%02u", (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
		 (unsigned)(s % 60));
}

static void add_printable(struct str *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t r = 0;
		size_t n = rune_decode(text + i, len - i, &r);

		if (text[i] == '\0')
			str_add_char(out, ' ');
		else if (r == RUNE_ERROR || !rune_is_print(r))
			str_add_char(out, '?');
		else
			str_add_bytes(out, text + i, n);
		i += n;
	}
}

static void add_command(struct str *out, const char *stat, const struct str *cmdline, char state)
{
	const char *name = strchr(stat, '(');
	const char *end = strrchr(stat, ')');
	size_t len = cmdline->len;

	while (len && cmdline->buf[len - 1] == '\0')
		len--;
	if (len) {
		add_printable(out, cmdline->buf, len);
		return;
	}
	str_add_char(out, '[');
	add_printable(out, name + 1, (size_t)(end - name - 1));
	str_add(out, state == 'Z' ? "] <defunct>" : "]");
}

bool processes_format_own(const struct process_clock *clock, const char *stat,
			  const struct str *cmdline, const char *user, struct str *ret)
{
	cleanup_strv struct strv words = STRV_INIT;
	const char *end = strrchr(stat, ')');
	uint64_t n[STAT_START + 1] = {};

	if (!end || !strchr(stat, '(') || end[1] != ' ')
		return false;
	strv_split(&words, end + 2, ' ');
	if (words.n <= STAT_START)
		return false;
	for (size_t i = STAT_PPID; i <= STAT_START; i++)
		num_parse_u64(words.items[i], &n[i]); /* negative ones are not among ours */
	uint64_t hz = clock->ticks_per_s > 0 ? (uint64_t)clock->ticks_per_s : 100;
	uint64_t used_s = (n[STAT_UTIME] + n[STAT_STIME]) / hz;
	uint64_t began_s = n[STAT_START] / hz;
	uint64_t age_s = clock->uptime_s > began_s ? clock->uptime_s - began_s : 0;
	uint64_t percent = age_s ? used_s * 100 / age_s : 0;

	str_addf(ret, "%-8s %.*s %llu %llu ", user, (int)strcspn(stat, " "), stat,
		 (unsigned long long)n[STAT_PPID],
		 (unsigned long long)(percent > 99 ? 99 : percent));
	add_start(ret, clock->now_s - (int64_t)age_s, clock->now_s);
	str_add_char(ret, ' ');
	add_tty(ret, n[STAT_TTY]);
	str_add_char(ret, ' ');
	add_time(ret, used_s);
	str_add_char(ret, ' ');
	add_command(ret, stat, cmdline, words.items[STAT_STATE][0]);
	str_add_char(ret, '\n');
	return true;
}

/* The name of UID in PASSWD, the text of the host's file; its number where there is none. */
static void find_user(const char *passwd, uid_t uid, char ret[static NAME_LEN])
{
	snprintf(ret, NAME_LEN, "%u", uid);
	for (const char *line = passwd; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		cleanup_strv struct strv fields = STRV_INIT;
		cleanup_free char *text = str_ndup(line, strcspn(line, "\n"));
		uint64_t its = 0;

		strv_split(&fields, text, ':');
		if (fields.n > 2 && num_parse_u64(fields.items[2], &its) == 0 && its == uid) {
			snprintf(ret, NAME_LEN, "%s", fields.items[0]);
			return;
		}
	}
}

static void print_one(const struct process_clock *clock, const char *passwd, pid_t pid,
		      struct str *ret)
{
	cleanup_free char *stat_path = str_printf("/proc/%d/stat", pid);
	cleanup_free char *cmdline_path = str_printf("/proc/%d/cmdline", pid);
	cleanup_str struct str text = STR_INIT;
	cleanup_str struct str cmdline = STR_INIT;
	char user[NAME_LEN];
	struct stat st;

	/* lint: a file of the kernel */
	if (stat(stat_path, &st) < 0 || fd_read_kernel_file(stat_path, MAX_PROC, &text) < 0)
		return;
	fd_read_kernel_file(cmdline_path, (size_t)4 << 20, &cmdline);
	find_user(passwd, st.st_uid, user);
	processes_format_own(clock, str_get(&text), &cmdline, user, ret);
}

void processes_print_own(const pid_t *pids, size_t n, struct str *ret)
{
	cleanup_str struct str passwd = STR_INIT;
	struct timespec up = {};
	struct process_clock clock = {
		.now_s = clock_real_ns() / CLOCK_NS_PER_S,
		.ticks_per_s = sysconf(_SC_CLK_TCK),
	};

	clock_gettime(CLOCK_BOOTTIME, &up);
	clock.uptime_s = (uint64_t)up.tv_sec;
	fd_read_file_at(AT_FDCWD, "/etc/passwd", MAX_PASSWD, &passwd);
	str_add(ret, "UID PID PPID C STIME TTY TIME CMD\n");
	for (size_t i = 0; i < n; i++)
		print_one(&clock, str_get(&passwd), pids[i], ret);
}
