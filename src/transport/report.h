/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_REPORT_H
#define TRANSPORT_REPORT_H
/* What is told while images move, for whoever shows it. Every function may be NULL. */
#include <stddef.h>
#include <stdint.h>

struct transport_report {
	/* Something of SIZE bytes begins: "Copying blob", "Loading layer"; HEX is a digest. */
	void (*begin)(const char *what, const char *hex, uint64_t size, void *data);
	/* Bytes of it done so far. */
	void (*progress)(uint64_t n_bytes, void *data);
	/* One more of several that move at once, and the bytes of each so far, in that order; 0 for
	 * one that has not begun. What begins next ends them all. */
	void (*add)(const char *what, const char *hex, uint64_t size, void *data);
	void (*progress_all)(const uint64_t *n_bytes, size_t n, void *data);
	/* A line of text that docker or skopeo would print here, without its newline. */
	void (*say)(const char *line, void *data);
	void *data;
};

/* Each does nothing where there is nobody to tell. */
static inline void report_begin(const struct transport_report *r, const char *what, const char *hex,
				uint64_t size)
{
	if (r && r->begin)
		r->begin(what, hex, size, r->data);
}

/* The same for one of several. */
static inline void report_add(const struct transport_report *r, const char *what, const char *hex,
			      uint64_t size)
{
	if (r && r->add)
		r->add(what, hex, size, r->data);
}

/* The same for a line. */
static inline void report_say(const struct transport_report *r, const char *line)
{
	if (r && r->say)
		r->say(line, r->data);
}

#endif
