/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_EVENT_FILTER_H
#define ENGINE_EVENT_FILTER_H
/*
 * The conditions of `events --filter`, by docker's rules. Values of one key are alternatives (all
 * labels must be there), keys must all agree:
 *
 *	type scope image	whole; of an image also its name without the tag
 *	event			whole; once exec_create, exec_start or health_status is among them,
 *				the beginning is enough
 *	container volume network daemon plugin service node secret config
 *				the beginning of the id or of the name, whatever the event is about
 *	label			"key" or "key=value" among the attributes
 */
#include "base/str.h"

#include <jansson.h>
#include <stdbool.h>

/* Whether EVENT (as journal_parse reads it) is wanted by every key of FILTERS, lines of
 * "key=value". A key that there is not wants everything, as docker has it. */
bool event_filter_matches(const struct strv *filters, const json_t *event);
/* Whether LINE has a key that there is. */
bool event_filter_is_known(const char *line);

#endif
