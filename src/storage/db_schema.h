/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DB_SCHEMA_H
#define STORAGE_DB_SCHEMA_H
/* The tables of the index. For db.c alone. */

#define DB_SCHEMA_VERSION 6

/* Statements that make an empty database one of this version. */
extern const char db_schema[];
/* Statements that make one of an older version one of the version after it, each run after the ones
 * before it; the last sets the version. */
extern const char db_upgrade_from_1[];
extern const char db_upgrade_from_2[];
extern const char db_upgrade_from_3[];
extern const char db_upgrade_from_4[];
extern const char db_upgrade_from_5[];

#endif
