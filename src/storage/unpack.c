/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One helper for each job, as many at a time as there are processors for us, and one loop that
 * waits for all their pipes. A helper decompresses and hashes on one thread and makes files on
 * another, so one alone leaves processors idle only where there are many.
 */
#include "storage/unpack.h"

#include <errno.h>
#include <sched.h>

#include "base/mem.h"
#include "storage/unpack_helper.h"

struct slot {
	struct helper helper;
	size_t job;
	bool busy;
};

struct run {
	const struct store *store;
	const struct unpack_job *jobs;
	size_t n_jobs, next;
	int lock_fd;
	unpack_progress_fn progress;
	void *data;
	uint64_t n_done;    /* bytes of the helpers that have ended */
	uint64_t n_told;    /* what PROGRESS was told last */
	struct slot *slots; /* owned */
	struct pollfd *polls;
	size_t n_slots;
	struct unpack_result *results;
};

static void run_done(struct run *run)
{
	for (size_t i = 0; i < run->n_slots; i++)
		helper_done(&run->slots[i].helper);
	free(run->slots);
	free(run->polls);
}

static void run_init(struct run *run)
{
	cpu_set_t set;
	size_t n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (size_t)CPU_COUNT(&set);

	run->n_slots = n < run->n_jobs ? n : run->n_jobs;
	run->slots = mem_zalloc(run->n_slots * sizeof(*run->slots));
	run->polls = mem_zalloc(run->n_slots * N_HELPER_PIPES * sizeof(*run->polls));
	for (size_t i = 0; i < run->n_slots; i++)
		run->slots[i].helper = (struct helper)HELPER_INIT;
}

static struct helper_task task_of(const struct run *run, size_t job)
{
	return (struct helper_task){
		.job = &run->jobs[job],
		.lock_fd = run->lock_fd,
		.with_progress = run->progress != NULL,
	};
}

static int fill_slot(struct run *run, struct slot *slot, struct err *err)
{
	struct helper_task task = {};

	if (slot->busy || run->next == run->n_jobs)
		return 0;
	slot->job = run->next++;
	slot->busy = true;
	task = task_of(run, slot->job);
	return helper_start(&slot->helper, run->store, &task, err);
}

static void tell_progress(struct run *run)
{
	uint64_t sum = run->n_done;

	if (!run->progress)
		return;
	for (size_t i = 0; i < run->n_slots; i++) {
		const struct slot *slot = &run->slots[i];

		sum += slot->helper.n_read;
		if (slot->busy && run->jobs[slot->job].n_read)
			*run->jobs[slot->job].n_read = slot->helper.n_read;
	}
	if (sum == run->n_told)
		return;
	run->n_told = sum;
	run->progress(sum, run->data);
}

/* A helper whose pipes are all closed has ended, or is about to. */
static int finish_slot(struct run *run, struct slot *slot, struct err *err)
{
	struct helper_task task = task_of(run, slot->job);

	if (helper_finish(&slot->helper, &task, &run->results[slot->job], err) < 0)
		return -err->code;
	run->n_done += slot->helper.n_read;
	if (run->jobs[slot->job].n_read)
		*run->jobs[slot->job].n_read = slot->helper.n_read;
	helper_done(&slot->helper);
	slot->busy = false;
	return 0;
}

static int wait_for_pipes(struct run *run, struct err *err)
{
	for (size_t i = 0; i < run->n_slots; i++)
		helper_get_polls(&run->slots[i].helper, run->polls + i * N_HELPER_PIPES);
	if (poll(run->polls, run->n_slots * N_HELPER_PIPES, -1) < 0) {
		if (errno != EINTR)
			return err_sys(err, errno, "wait for the helpers");
		for (size_t i = 0; i < run->n_slots * N_HELPER_PIPES; i++)
			run->polls[i].revents = 0;
	}
	return 0;
}

static int serve_slot(struct run *run, size_t i, struct err *err)
{
	struct slot *slot = &run->slots[i];
	struct pollfd *polls = run->polls + i * N_HELPER_PIPES;

	if (!slot->busy)
		return 0;
	if (helper_read(&slot->helper, polls, err) < 0)
		return -err->code;
	return helper_get_polls(&slot->helper, polls) ? 0 : finish_slot(run, slot, err);
}

/* RET_SLOT is the one that an error came from. */
static int serve_all(struct run *run, size_t *ret_slot, struct err *err)
{
	size_t n_finished = 0;

	while (n_finished < run->n_jobs) {
		for (*ret_slot = 0; *ret_slot < run->n_slots; ++*ret_slot)
			if (fill_slot(run, &run->slots[*ret_slot], err) < 0)
				return -err->code;
		if (wait_for_pipes(run, err) < 0)
			return -err->code;
		for (*ret_slot = 0; *ret_slot < run->n_slots; ++*ret_slot) {
			bool busy = run->slots[*ret_slot].busy;

			if (serve_slot(run, *ret_slot, err) < 0)
				return -err->code;
			n_finished += busy && !run->slots[*ret_slot].busy;
		}
		tell_progress(run);
	}
	return 0;
}

int unpack_run(const struct store *store, const struct unpack_job *jobs, size_t n, int lock_fd,
	       unpack_progress_fn progress, void *data, struct unpack_result *ret,
	       size_t *ret_failed, struct err *err)
{
	struct run run cleanup_with(run_done) = {
		.store = store,
		.jobs = jobs,
		.n_jobs = n,
		.lock_fd = lock_fd,
		.progress = progress,
		.data = data,
		.results = ret,
	};
	size_t slot = 0;

	if (n == 0)
		return 0;
	run_init(&run);
	if (serve_all(&run, &slot, err) == 0)
		return 0;
	if (ret_failed)
		*ret_failed = slot < run.n_slots ? run.slots[slot].job : 0;
	return -err->code;
}
