/* SPDX-License-Identifier: Apache-2.0 */
/* Written straight through: the pieces that come are a block of the ring or what a compressor
 * filled.
 */
#include "unpack/output.h"

#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

int output_init(struct output *o, int fd, const char *what, bool with_digest, struct err *err)
{
	struct stat st;

	*o = (struct output){.fd = fd, .what = what, .space.fd = fd};
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at %s", what);
	o->is_file = S_ISREG(st.st_mode);
	if (with_digest)
		o->digest = digest_new(err);
	return with_digest && !o->digest ? -err->code : 0;
}

int output_write(struct output *o, const void *bytes, size_t len, struct err *err)
{
	int rc = 0;

	if (o->fd < 0 || !len)
		return 0;
	if (o->is_file && space_charge(&o->space, len, 0, err) < 0)
		return err_wrap(err, "write %s", o->what);
	rc = fd_write_full(o->fd, bytes, len);
	if (rc < 0)
		return err_sys(err, -rc, "write %s", o->what);
	o->size += len;
	return o->digest ? digest_update(o->digest, bytes, len, err) : 0;
}

int output_finish(struct output *o, char ret[static DIGEST_TEXT_LEN], struct err *err)
{
	*ret = '\0';
	if (o->fd < 0)
		return 0;
	if (close(take_fd(o->fd)) < 0)
		return err_sys(err, errno, "write %s", o->what);
	return o->digest ? digest_final(o->digest, ret, err) : 0;
}

void output_done(struct output *o)
{
	fd_cleanup_close(&o->fd);
	digest_free(o->digest);
	o->digest = NULL;
}
