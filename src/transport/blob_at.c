/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and copying blobs. Large ones go through the helper, which hashes faster than this
 * program could and several at a time; what is in memory is hashed here.
 */
#include "transport/blob_at.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "archive/tar_write.h"
#include "base/fd.h"
#include "base/mem.h"
#include "oci/document.h"
#include "storage/unpack.h"
#include "transport/report.h"

#define JOBS_AT_A_TIME 64 /* each has its descriptors open */

void blob_at_done(struct blob_at *at)
{
	fd_cleanup_close(&at->fd);
	str_done(&at->text);
	*at = (struct blob_at)BLOB_AT_INIT;
}

uint64_t blob_at_get_size(const struct blob_at *at)
{
	if (at->fd < 0)
		return at->text.len;
	return at->is_inflated ? (uint64_t)at->plain_size : at->size;
}

int blob_at_read(const struct blob_at *at, const char *what, struct str *ret, struct err *err)
{
	size_t have = 0;
	char *to = NULL;

	if (blob_at_get_size(at) > DOCUMENT_MAX_SIZE || at->is_inflated)
		return err_set(err, ERR_INVALID, "%s is larger than %zu bytes", what,
			       DOCUMENT_MAX_SIZE);
	if (at->fd < 0) {
		str_add_bytes(ret, str_get(&at->text), at->text.len);
		return 0;
	}
	to = str_reserve(ret, at->size);
	while (have < at->size) {
		ssize_t n = pread(at->fd, to + have, at->size - have, (off_t)(at->offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read %s", what);
		if (n == 0)
			return err_set(err, ERR_INVALID, "%s became shorter", what);
		have += (size_t)n;
	}
	ret->len += have;
	ret->buf[ret->len] = '\0';
	return 0;
}

static int damaged(const char *hex, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "blob " DIGEST_PREFIX "%s is damaged: its digest is another", hex);
}

static int copy_text(const struct blob_copy *copy, struct err *err)
{
	const struct str *text = &copy->at->text;
	int rc = 0;

	if (!digest_is_of(copy->hex, str_get(text), text->len))
		return damaged(copy->hex, err);
	if (copy->out_fd >= 0)
		rc = fd_write_full(copy->out_fd, str_get(text), text->len);
	return rc < 0 ? err_sys(err, -rc, "write blob %s", copy->hex) : 0;
}

static void set_job(const struct blob_copy *copy, struct unpack_job *job)
{
	const struct blob_at *at = copy->at;

	*job = (struct unpack_job)UNPACK_JOB_INIT;
	job->in_fd = at->fd;
	job->offset = at->offset;
	job->length = at->size;
	if (!at->is_inflated) {
		job->raw_fd = copy->out_fd;
		return;
	}
	job->plain_fd = copy->out_fd;
	job->max_plain = (uint64_t)at->plain_size;
}

static int check_result(const struct blob_copy *copy, const struct unpack_result *r,
			struct err *err)
{
	const char *hex = copy->at->is_inflated ? r->diff_hex : r->raw_hex;
	int64_t size = copy->at->is_inflated ? r->plain_size : r->raw_size;

	if (strcmp(hex, copy->hex) != 0 || (uint64_t)size != blob_at_get_size(copy->at))
		return damaged(copy->hex, err);
	return 0;
}

static int run_jobs(const struct store *store, const struct blob_copy *copies, size_t n,
		    const struct transport_report *report, struct err *err)
{
	struct unpack_job jobs[JOBS_AT_A_TIME];
	struct unpack_result results[JOBS_AT_A_TIME] = {};
	const struct blob_copy *of[JOBS_AT_A_TIME];
	size_t n_jobs = 0;
	size_t failed = 0;

	for (size_t i = 0; i < n; i++) {
		if (copies[i].at->fd < 0) {
			if (copy_text(&copies[i], err) < 0)
				return -err->code;
			continue;
		}
		set_job(&copies[i], &jobs[n_jobs]);
		of[n_jobs++] = &copies[i];
	}
	if (n_jobs == 0)
		return 0;
	if (unpack_run(store, jobs, n_jobs, -1, report ? report->progress : NULL,
		       report ? report->data : NULL, results, &failed, err) < 0)
		return failed < n_jobs ? err_wrap(err, "blob " DIGEST_PREFIX "%s", of[failed]->hex)
				       : -err->code;
	for (size_t i = 0; i < n_jobs; i++)
		if (check_result(of[i], &results[i], err) < 0)
			return -err->code;
	return 0;
}

int blob_copy_all(const struct store *store, const struct blob_copy *copies, size_t n,
		  const struct transport_report *report, struct err *err)
{
	for (size_t i = 0; i < n; i += JOBS_AT_A_TIME) {
		size_t part = n - i < JOBS_AT_A_TIME ? n - i : JOBS_AT_A_TIME;

		if (run_jobs(store, copies + i, part, report, err) < 0)
			return -err->code;
	}
	return 0;
}

int blob_copy_to_tar(const struct store *store, struct tar_writer *w, int out_fd, const char *name,
		     const struct blob_copy *copy, const struct transport_report *report,
		     struct err *err)
{
	struct tar_entry entry = {
		.type = TAR_FILE,
		.path = name,
		.link = "",
		.mode = 0644,
		.size = blob_at_get_size(copy->at),
	};
	struct blob_copy to = *copy;

	entry.stored = entry.size;
	to.out_fd = out_fd;
	if (tar_writer_add(w, &entry, err) < 0 || tar_writer_hand_over(w, entry.size, err) < 0)
		return -err->code;
	return blob_copy_all(store, &to, 1, report, err);
}
