/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILD_PLACE_H
#define BUILD_PLACE_H
/* Where a step works. */
#include "base/str.h"

struct engine;

struct build_place {
	struct engine *engine;
	const struct strv *lowers; /* layer directories of the step below, uppermost first; without
				      the skeleton; may be empty */
	const char *dir;	   /* of the step, absolute: holds `upper` and `work`, both empty */
	const char *id;		   /* 64 hex digits: of the step's container */
	const char *platform;
	int64_t settled_s; /* the epoch's: a file of another step that has this time may have had a
			      later one */
};

#endif
