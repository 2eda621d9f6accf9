/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_SYS_BPF_EVAL_H
#define UNIT_SYS_BPF_EVAL_H
/* A classic BPF machine, as much of it as seccomp filters use, and libseccomp's output as bytes. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* The action that PROG returns for DATA. Fails the test on anything the kernel's checker would
 * refuse: a jump or an end outside the program, an unknown instruction. */
uint32_t bpf_eval(const struct sock_fprog *prog, const struct seccomp_data *data);

/* The program of a libseccomp filter (void *, scmp_filter_ctx); the caller frees ret->filter. */
void bpf_export(void *ctx, struct sock_fprog *ret);

#endif
