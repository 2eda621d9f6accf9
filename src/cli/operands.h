/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPERANDS_H
#define CLI_OPERANDS_H
/*
 * Verbs that take several operands: each is tried whatever became of the others, and is answered
 * in the order typed.
 */
struct cli;
struct engine;
struct err;

/* Does the operand REF of a verb with OPTIONS; prints nothing but what the verb explains. 0 or
 * more, or -code. */
typedef int (*operand_fn)(struct engine *engine, const char *ref, void *options, struct err *err);

/* FN for every operand of CLI: the good ones are printed on standard output, as soon as they are
 * done, the errors on standard error. 0, or 1 when there was one; ERR is empty then. */
int cli_each_operand(const struct cli *cli, struct engine *engine, operand_fn fn, void *options,
		     struct err *err);

#endif
