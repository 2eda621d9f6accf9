/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: no text may crash the parser or the run, and none may leave its bounds. The data has
 * every kind of value; it is read once with shapes and once as plain maps.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/template.h"
#include "json/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char sample[] =
	"{\"a\":\"x\",\"n\":5,\"f\":2.5,\"t\":true,\"nil\":null,\"s\":[\"p\",\"q\"],"
	"\"e\":[],\"o\":{\"k\":\"v\",\"n\":1},\"m\":[{\"n\":\"one\"}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_shape shape = {SHAPE_STRUCT, "row", NULL, NULL};
	static const struct template_env envs[] = {{.missing_key_error = false},
						   {.shape = &shape, .escape_root = true}};
	cleanup_free char *text = str_ndup((const char *)data, size);
	cleanup_template struct template *t = NULL;
	cleanup_json json_t *value = NULL;
	struct err err = ERR_INIT;

	if (json_parse(sample, strlen(sample), 4096, "sample", &value, &err) < 0)
		abort();
	if (template_parse(text, &t, &err) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(envs); i++) {
		cleanup_str struct str out = STR_INIT;

		(void)template_execute(t, value, &envs[i], &out, &err);
	}
	return 0;
}
