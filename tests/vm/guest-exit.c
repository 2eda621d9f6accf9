/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends the machine: a byte written to qemu's isa-debug-exit device makes qemu exit with 2 * byte
 * + 1. Statuses over 126 become 126, since qemu's status has one byte too.
 */
#include <stdlib.h>
#include <sys/io.h>

int main(int argc, char **argv)
{
	long status = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

	if (ioperm(0x501, 1, 1) < 0)
		return 1;
	outb((unsigned char)(status > 126 ? 126 : status), 0x501);
	return 1;
}
