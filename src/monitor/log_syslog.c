/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of syslog, one to an entry: RFC 3164 (with and without a host), RFC 5424 with seconds or
 * microseconds. Whatever the container says stays one message: it holds no newline, and a tag that
 * does gets spaces for it.
 */
#include "monitor/log_remote.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define STAMP_LEN 64

/* "Jan  2 15:04:05" */
static void format_3164_time(const struct tm *tm, char ret[static STAMP_LEN])
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	snprintf(ret, STAMP_LEN, "%.3s %2d %02d:%02d:%02d", months + (size_t)tm->tm_mon * 3,
		 tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);
}

/* "2006-01-02T15:04:05+01:00", with MICRO of the second unless that is negative. */
static void format_5424_time(const struct tm *tm, long micro, char ret[static STAMP_LEN])
{
	long zone = tm->tm_gmtoff / 60;
	char fraction[16] = "";
	char offset[16] = "Z";

	if (micro >= 0)
		snprintf(fraction, sizeof(fraction), ".%06ld", micro % 1000000);
	if (zone)
		snprintf(offset, sizeof(offset), "%c%02ld:%02ld", zone < 0 ? '-' : '+',
			 labs(zone) / 60 % 100, labs(zone) % 60);
	snprintf(ret, STAMP_LEN, "%04d-%02d-%02dT%02d:%02d:%02d%s%s", tm->tm_year + 1900,
		 tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec, fraction,
		 offset);
}

/* A word of the head, which must not end it early. */
static void add_tag(struct str *out, const char *tag)
{
	for (; *tag; tag++)
		str_add_char(out, (unsigned char)*tag < ' ' || *tag == 0x7f ? ' ' : *tag);
}

static void add_head(const struct log_driver_config *config, const struct log_line *line,
		     const char *host, struct str *out)
{
	enum log_syslog_format format = config->format;
	time_t seconds = line->time_ns / CLOCK_NS_PER_S;
	long micro = (long)(line->time_ns % CLOCK_NS_PER_S / 1000);
	char stamp[STAMP_LEN];
	struct tm tm;

	localtime_r(&seconds, &tm);
	str_addf(out, "<%d>", config->facility | (line->stream == LOG_STDERR ? LOG_ERR : LOG_INFO));
	if (format == LOG_FORMAT_UNIX || format == LOG_FORMAT_3164) {
		format_3164_time(&tm, stamp);
		str_addf(out, "%s ", stamp);
		if (format == LOG_FORMAT_3164)
			str_addf(out, "%s ", host);
		add_tag(out, config->tag);
		str_addf(out, "[%d]: ", getpid());
		return;
	}
	format_5424_time(&tm, format == LOG_FORMAT_5424_MICRO ? micro : -1, stamp);
	str_addf(out, "1 %s %s ", stamp, host);
	add_tag(out, config->tag);
	str_addf(out, " %d ", getpid());
	add_tag(out, config->tag);
	str_add(out, " - ");
}

void log_syslog_format(const struct log_driver_config *config, const struct log_line *line,
		       const char *host, struct str *out)
{
	size_t len = line->len;

	if (len > 0 && line->text[len - 1] == '\n')
		len--;
	/* As docker does it: an empty line is no message. */
	if (len == 0)
		return;
	add_head(config, line, host, out);
	str_add_bytes(out, line->text, len);
	str_add_char(out, '\n');
}
