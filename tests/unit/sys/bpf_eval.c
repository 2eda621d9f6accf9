/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A classic BPF machine for tests: an accumulator, loads from struct seccomp_data, AND, jumps and
 * returns. It knows exactly what filters are made of, so that an instruction which should not be
 * there is a failure and not a guess.
 */
#include "bpf_eval.h"

#include "../unit.h"

#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word = 0;

	assert_true(offset % 4 == 0 && offset + 4 <= sizeof(*data));
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

uint32_t bpf_eval(const struct sock_fprog *prog, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < prog->len; pc++) {
		const struct sock_filter *i = &prog->filter[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = load(data, i->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %zu: unknown code %#x", pc, i->code);
		}
	}
	fail_msg("ran off the end");
	return 0;
}

void bpf_export(void *ctx, struct sock_fprog *ret)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	ret->filter = malloc((size_t)st.st_size);
	assert_non_null(ret->filter);
	assert_int_equal(pread(fd, ret->filter, (size_t)st.st_size, 0), st.st_size);
	ret->len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	close(fd);
}
