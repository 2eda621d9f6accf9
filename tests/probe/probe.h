/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROBE_H
#define PROBE_H
/* The probe: what it prints, and its part that makes system calls. */
#include <stddef.h>

/* "ok" for 0, else the name of errno E ("EPERM"). Static. */
const char *probe_errno(int e);

/* `call.NAME RESULT` for each system call, or only for the N NAMES when N > 0. RESULT is "ok", an
 * errno, "SIGSYS" or another signal that the call brought, "exited", or "skipped". Each is made in
 * a child of its own, with arguments that cannot do anything. */
void probe_calls(char *const *names, size_t n);
/* `case.NAME RESULT` for calls whose arguments decide. */
void probe_cases(void);

#endif
