/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_PROGRAM_H
#define SYS_PROGRAM_H
/*
 * What a program file would make the kernel open: itself, the interpreter of its "#!" line, the
 * interpreter's own, and the dynamic loader that an ELF file names.
 */

/* Whether executing PATH, as seen from the caller's root and working directory, only opens ordinary
 * files of that root: 0, or -EACCES when PATH or an interpreter behind it is reached through a
 * magic link or lies in procfs ("/proc/self/exe" is the engine until the very exec, CVE-2019-5736).
 * What does not exist or is no program is left to execve(2): 0. Takes a few microseconds; needs no
 * more than CAP_DAC_READ_SEARCH in the permitted set, and only for a file that its user may not
 * read; one that cannot be read at all is -EACCES. Safe after clone. */
int program_check_origin(const char *path);

#endif
