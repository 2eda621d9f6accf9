/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends the machine: a byte written to qemu's isa-debug-exit device makes qemu exit with 2 * byte
 * + 1. Statuses over 126 become 126, since qemu's status has one byte too.
 */
#include <sys/io.h>

int main(int argc, char **argv)
{
	unsigned status = 0;

	for (const char *p = argc > 1 ? argv[1] : ""; *p >= '0' && *p <= '9' && status < 127; p++)
		status = status * 10 + (unsigned)(*p - '0');

	if (ioperm(0x501, 1, 1) < 0)
		return 1;
	outb((unsigned char)(status > 126 ? 126 : status), 0x501);
	return 1;
}
