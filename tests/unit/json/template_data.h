/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEMPLATE_DATA_H
#define TEMPLATE_DATA_H
/* The data that the template tables run on. */
/* clang-format off */
#define TEMPLATE_DATA \
	"{\"a\": \"x\", \"n\": 5, \"z\": 0, \"f\": 2.5, \"t\": true, \"no\": false, \"nil\": nu" \
	"ll, \"s\": [\"p\", \"q\", \"r\"], \"e\": [], \"o\": {\"k\": \"v\", \"b\": \"c\", \"n\": 1}, " \
	"\"em\": {}, \"deep\": {\"a\": {\"b\": {\"c\": \"deepv\"}}}, \"html\": \"<a href=\\\"x\\\"" \
	">&'</a>\", \"u\": \"héllo wörld\", \"big\": 123456789, \"m\": [{\"n\": \"one\", \"v\"" \
	": 1}, {\"n\": \"two\", \"v\": 2}], \"neg\": -7, \"sp\": \"a b/c?d=e&f\", \"w\": \"日本\"" \
	"}"
/* clang-format on */

struct template_row {
	const char *text;
	const char *expected;
};

#endif
