/* SPDX-License-Identifier: Apache-2.0 */
/* Records of networks: no text may crash the parser, and what it accepts it formats so that it
 * comes back the same. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "network/network.h"

#define ID "1111111111111111111111111111111111111111111111111111111111111111"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const drivers[] = {"bridge", "macvlan", "ipvlan", "null"};
	cleanup_free char *text = str_ndup((const char *)data, size);

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		cleanup_network struct network network = {};
		cleanup_network struct network again = {};
		cleanup_free char *once = NULL;
		cleanup_free char *twice = NULL;
		struct err err = ERR_INIT;

		if (network_parse(ID, "n", drivers[i], 0, text, &network, &err) < 0)
			continue;
		once = network_format(&network);
		if (network_parse(ID, "n", drivers[i], 0, once, &again, &err) < 0)
			abort();
		twice = network_format(&again);
		if (!str_is_equal(once, twice))
			abort();
	}
	return 0;
}
