/* SPDX-License-Identifier: Apache-2.0 */
#include "build/run_private.h"
int build_run_shell(struct build_run *run, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "not yet");
}
int build_run_explain(struct engine *engine, const struct build_run_input *input, struct str *ret,
		      struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "not yet");
}
