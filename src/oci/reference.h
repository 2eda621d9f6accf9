/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_REFERENCE_H
#define OCI_REFERENCE_H
/*
 * Image references as docker reads them (distribution/reference, grammar in its doc comment):
 *
 *     [DOMAIN/]PATH[:TAG][@DIGEST]
 *
 * A short name is normalised: "busybox" means docker.io/library/busybox, "team/app" means
 * docker.io/team/app. The familiar form is what people type and what lists print.
 */
#include "base/err.h"

#include <stdbool.h>

#define REFERENCE_DEFAULT_TAG "latest"

struct reference {
	char *domain; /* "docker.io", "localhost:5000", "[::1]:5000" */
	char *path;   /* "library/busybox" */
	char *tag;    /* NULL when none was given */
	char *digest; /* "sha256:<hex>" or NULL */
};

#define REFERENCE_INIT \
	{              \
	}

/* Parses and normalises S into RET (which must be empty). ERR_INVALID with docker's words:
 * "invalid reference format", "invalid reference format: repository name (library/X) must be
 * lowercase", "invalid repository name (<64 hex>), cannot specify 64-byte hexadecimal strings". */
int reference_parse(const char *s, struct reference *ret, struct err *err);
/* Gives a reference that has neither tag nor digest the tag "latest". */
void reference_ensure_tag(struct reference *ref);
void reference_done(struct reference *ref);
#define cleanup_reference __attribute__((cleanup(reference_done)))

/* Owned strings: */
/* "docker.io/library/busybox" */
char *reference_format_name(const struct reference *ref);
/* "docker.io/library/busybox:latest@sha256:..." with what is present */
char *reference_format(const struct reference *ref);
/* "busybox" */
char *reference_format_familiar_name(const struct reference *ref);
/* "busybox:latest" with what is present */
char *reference_format_familiar(const struct reference *ref);

#endif
