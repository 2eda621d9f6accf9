/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DB_SCHEMA_H
#define STORAGE_DB_SCHEMA_H
/* The tables of the index. For db.c alone. */

#define DB_SCHEMA_VERSION 3

/* Statements that make an empty database one of this version. */
extern const char db_schema[];
/* Statements that make one of version 1 or 2 one of the version after it; the last upgrade is run
 * for both, and sets the version. */
extern const char db_upgrade_from_1[];
extern const char db_upgrade_from_2[];

#endif
