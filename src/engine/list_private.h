/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LIST_PRIVATE_H
#define ENGINE_LIST_PRIVATE_H
/* Internal to engine: the values of each filter. */
#include "base/str.h"
#include "engine/list.h"

enum filter_id {
	FILTER_ID,
	FILTER_NAME,
	FILTER_LABEL,
	FILTER_EXITED,
	FILTER_STATUS,
	FILTER_ANCESTOR,
	FILTER_BEFORE,
	FILTER_SINCE,
	FILTER_VOLUME,
	FILTER_NETWORK,
	FILTER_PUBLISH,
	FILTER_EXPOSE,
	FILTER_HEALTH,
	FILTER_IS_TASK,
	FILTER_ISOLATION,
	N_FILTERS,
};

struct pattern_set;

struct list_filter {
	struct strv values[N_FILTERS];
	struct pattern_set *patterns[N_FILTERS]; /* of the keys whose values are expressions */
};

#endif
