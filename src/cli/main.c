/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program. Everything is in cli_main, so that tests can call it.
 */
#include "cli/command.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
