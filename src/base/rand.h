/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RAND_H
#define BASE_RAND_H
/* Random names and hexadecimal text. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_LEN 64 /* hexadecimal digits of a container id */

/* N_BYTES random bytes from getrandom(2) as 2 * N_BYTES lower-case digits and a NUL. Aborts when
 * the kernel has no randomness. */
void rand_hex(size_t n_bytes, char *buf);
void hex_format(const uint8_t *bytes, size_t n_bytes, char *buf);
/* Whether S is exactly LEN lower-case hexadecimal digits. */
bool hex_is_valid(const char *s, size_t len);

#endif
