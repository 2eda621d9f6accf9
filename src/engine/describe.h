/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H
/*
 * A container as docker's clients know it: the objects "Config" and "HostConfig", written once when
 * the container is created, and everything that `inspect` shows, put together when it is asked for.
 * Members, their order and their types are those of docker's API 1.50.
 */
#include "base/err.h"
#include "oci/image_config.h"

#include <jansson.h>
#include <stdbool.h>

struct container_record;
struct container_spec;
struct engine;
struct json_shape;

/* Owned compact JSON of docker's Config of the container ID, in docker's order of members. RUN is
 * what configure_run made. Takes a few microseconds; touches nothing. */
char *describe_config(const struct container_spec *spec, const struct image_run *run,
		      const char *id);
/* The same for HostConfig; NAME is the container's. */
char *describe_host(const struct container_spec *spec, const char *name);

/* What `inspect` shows of a container: a new reference in RET. SIZE adds SizeRw and SizeRootFs,
 * which reads the whole writable layer. ERR_INVALID when the stored JSON cannot be read. */
int container_inspect(struct engine *engine, const struct container_record *record, bool size,
		      json_t **ret, struct err *err);

/* The list "Mounts" of a container: a new reference. */
int container_get_mounts(const struct container_record *record, json_t **ret, struct err *err);

/* The types behind that object and behind image_inspect's. */
extern const struct json_shape container_shape;
extern const struct json_shape image_shape;

/* A copy of OBJECT (of type SHAPE, one of the two above) with a null for each member that docker's
 * type has and that JSON leaves out when it is not set: what a template sees. */
json_t *describe_with_nil_members(const json_t *object, const struct json_shape *shape);

/* The member of JSON that docker's Go type calls NAME, as templates may ("NanoCPUs" is NanoCpus,
 * "ID" is Id); NULL when it has no other name. */
const char *describe_go_alias(const char *name);
/* Whether NAME is of JSON alone, where Go has another. */
bool describe_is_json_name(const char *name);

#endif
