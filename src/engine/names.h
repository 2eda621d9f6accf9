/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_NAMES_H
#define ENGINE_NAMES_H
/* Names for containers that were given none. */

#define NAME_LEN 64

/* "quiet_lovelace": an adjective and the surname of somebody who made computers what they are. */
void name_make_random(char buf[static NAME_LEN]);

#endif
