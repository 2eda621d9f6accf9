/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans: an array of steps, and the executor that runs one part of it and takes the times.
 */
#include "plan/plan.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "plan/steps.h"

#include <errno.h>
#include <sys/mman.h>

static size_t shared_size(void)
{
	return PLAN_MAX_STEPS * sizeof(struct step_result) + PLAN_N_MARKS * sizeof(uint64_t);
}

int plan_init(struct plan *plan, struct err *err)
{
	char *shared = mmap(NULL, shared_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);

	*plan = (struct plan){};
	if (shared == MAP_FAILED)
		return err_sys(err, errno, "map %zu bytes", shared_size());
	plan->results = (struct step_result *)(void *)shared;
	plan->marks = (uint64_t *)(void *)(shared + PLAN_MAX_STEPS * sizeof(struct step_result));
	return 0;
}

struct plan_owned {
	void *data;
	void (*done)(void *data);
};

void plan_own(struct plan *plan, void *data, void (*done)(void *data))
{
	plan->owned = mem_realloc_array(plan->owned, plan->n_owned + 1, sizeof(*plan->owned));
	plan->owned[plan->n_owned++] = (struct plan_owned){data, done};
}

void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_owned; i++)
		plan->owned[i].done(plan->owned[i].data);
	free(plan->owned);
	for (size_t i = 0; i < plan->n; i++) {
		struct step *step = plan->steps[i];

		free(step->path);
		free(step->text);
		free(step->type);
		free(step->flag);
		strv_done(&step->words);
		free(step);
	}
	free(plan->steps);
	if (plan->results)
		munmap(plan->results, shared_size());
	*plan = (struct plan){};
}

void plan_group(struct plan *plan, const char *comment)
{
	plan->comment = comment;
}

struct step *plan_add(struct plan *plan, const struct step_op *op, enum step_where where)
{
	struct step *step = mem_zalloc(sizeof(*step));

	if (plan->n == PLAN_MAX_STEPS)
		abort();
	if (plan->n == plan->cap) {
		plan->cap = plan->cap ? plan->cap * 2 : 128;
		plan->steps = mem_realloc_array(plan->steps, plan->cap, sizeof(*plan->steps));
	}
	step->op = op;
	step->where = where;
	step->comment = plan->comment;
	plan->comment = NULL;
	plan->steps[plan->n++] = step;
	return step;
}

void plan_mark(struct plan *plan, enum plan_mark mark)
{
	plan->marks[mark] = clock_mono_ns();
}

/* The clone returns when the child has become its command: what lies between belongs to the child's
 * own steps, and what comes after its last mark is the price of exec. */
static void settle_clone(struct plan *plan, size_t i, uint64_t start)
{
	uint64_t now = clock_mono_ns();

	if (plan->marks[PLAN_CLONED] > start)
		plan->results[i].ns = plan->marks[PLAN_CLONED] - start;
	for (size_t k = i; k < plan->n; k++) {
		if (plan->steps[k]->op != &step_exec || plan->marks[PLAN_EXEC] < start)
			continue;
		plan->results[k].ns = now - plan->marks[PLAN_EXEC];
		plan->results[k].state = 1;
	}
}

static int run_note(struct plan_run *run, const struct step *step, struct err *err)
{
	return 0;
}

static void explain_note(const struct step *step, enum step_text mode, struct str *out)
{
	if (mode == TEXT_TRACE)
		str_addf(out, "# %s", step->text);
}

static const struct step_op step_note = {"note", run_note, explain_note};

size_t plan_note(struct plan *plan, enum step_where where, const char *text, uint64_t ns)
{
	plan_add(plan, &step_note, where)->text = str_dup(text);
	plan->results[plan->n - 1] = (struct step_result){.ns = ns, .state = 1};
	return plan->n - 1;
}

static int run_step(struct plan *plan, size_t i, struct plan_run *run, struct err *err)
{
	const struct step *step = plan->steps[i];
	uint64_t start = clock_mono_ns();
	int rc = step->op->run(run, step, err);

	plan->results[i].ns = clock_mono_ns() - start;
	plan->results[i].state = 1;
	if (step->op == &step_clone)
		settle_clone(plan, i, start);
	if (rc >= 0)
		return 0;
	if (step->is_optional) {
		plan->results[i].state = 2;
		log_debug("%s", err->msg);
		err_clear(err);
		return 0;
	}
	return step->flag ? err_wrap(err, "%s cannot be applied", step->flag) : rc;
}

int plan_execute(struct plan *plan, enum step_where where, struct plan_run *run, struct err *err)
{
	return plan_execute_from(plan, 0, where, run, err);
}

int plan_execute_from(struct plan *plan, size_t first, enum step_where where, struct plan_run *run,
		      struct err *err)
{
	int failed = 0;

	for (size_t i = first; i < plan->n; i++) {
		struct err later = ERR_INIT;
		int rc = 0;

		if (plan->steps[i]->where != where || plan->steps[i]->op == &step_note)
			continue;
		rc = run_step(plan, i, run, failed ? &later : err);
		/* Inside, the standard streams are the container's. */
		if (where != STEP_INSIDE)
			log_trace("step %s: %s", plan->steps[i]->op->name,
				  rc < 0 ? "failed" : "done");
		if (rc < 0 && where != STEP_TEARDOWN && where != STEP_LATE)
			return rc;
		if (rc < 0 && !failed)
			failed = rc;
	}
	return failed;
}

uint64_t plan_total_ns(const struct plan *plan, unsigned parts, size_t *ret_steps)
{
	uint64_t total = 0;

	*ret_steps = 0;
	for (size_t i = 0; i < plan->n; i++) {
		if (!plan->results[i].state || !(parts & (1U << plan->steps[i]->where)))
			continue;
		total += plan->results[i].ns;
		(*ret_steps)++;
	}
	return total;
}
