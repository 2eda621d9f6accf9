/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 decoding, widths and case. The tables are ranges in ascending order; they hold what
 * terminals agree on, not every assignment of the Unicode standard.
 */
#include "json/rune.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct range {
	uint32_t first, last;
};

/* EastAsianWidth.txt of Unicode 15, classes W and F, neighbours joined. */
static const struct range wide_ranges[] = {
	{0x1100, 0x115F},   {0x231A, 0x231B},	{0x2329, 0x232A},   {0x23E9, 0x23EC},
	{0x23F0, 0x23F0},   {0x23F3, 0x23F3},	{0x25FD, 0x25FE},   {0x2614, 0x2615},
	{0x2648, 0x2653},   {0x267F, 0x267F},	{0x2693, 0x2693},   {0x26A1, 0x26A1},
	{0x26AA, 0x26AB},   {0x26BD, 0x26BE},	{0x26C4, 0x26C5},   {0x26CE, 0x26CE},
	{0x26D4, 0x26D4},   {0x26EA, 0x26EA},	{0x26F2, 0x26F3},   {0x26F5, 0x26F5},
	{0x26FA, 0x26FA},   {0x26FD, 0x26FD},	{0x2705, 0x2705},   {0x270A, 0x270B},
	{0x2728, 0x2728},   {0x274C, 0x274C},	{0x274E, 0x274E},   {0x2753, 0x2755},
	{0x2757, 0x2757},   {0x2795, 0x2797},	{0x27B0, 0x27B0},   {0x27BF, 0x27BF},
	{0x2B1B, 0x2B1C},   {0x2B50, 0x2B50},	{0x2B55, 0x2B55},   {0x2E80, 0x303E},
	{0x3041, 0x3247},   {0x3250, 0x4DBF},	{0x4E00, 0xA4C6},   {0xA960, 0xA97C},
	{0xAC00, 0xD7A3},   {0xF900, 0xFAFF},	{0xFE10, 0xFE19},   {0xFE30, 0xFE6B},
	{0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},	{0x16FE0, 0x1B2FB}, {0x1F004, 0x1F004},
	{0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A}, {0x1F200, 0x1F320},
	{0x1F32D, 0x1F335}, {0x1F337, 0x1F37C}, {0x1F37E, 0x1F393}, {0x1F3A0, 0x1F3CA},
	{0x1F3CF, 0x1F3D3}, {0x1F3E0, 0x1F3F0}, {0x1F3F4, 0x1F3F4}, {0x1F3F8, 0x1F43E},
	{0x1F440, 0x1F440}, {0x1F442, 0x1F4FC}, {0x1F4FF, 0x1F53D}, {0x1F54B, 0x1F54E},
	{0x1F550, 0x1F567}, {0x1F57A, 0x1F57A}, {0x1F595, 0x1F596}, {0x1F5A4, 0x1F5A4},
	{0x1F5FB, 0x1F64F}, {0x1F680, 0x1F6C5}, {0x1F6CC, 0x1F6CC}, {0x1F6D0, 0x1F6D2},
	{0x1F6D5, 0x1F6D7}, {0x1F6DC, 0x1F6DF}, {0x1F6EB, 0x1F6EC}, {0x1F6F4, 0x1F6FC},
	{0x1F7E0, 0x1F7EB}, {0x1F7F0, 0x1F7F0}, {0x1F90C, 0x1F93A}, {0x1F93C, 0x1F945},
	{0x1F947, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x2FFFD}, {0x30000, 0x3FFFD},
};

/* Outside ASCII: controls, spaces, formats, surrogates, private use, non-characters. */
static const struct range unprintable_ranges[] = {
	{0x7F, 0xA0},	    {0xAD, 0xAD},	 {0x1680, 0x1680}, {0x2000, 0x200F},
	{0x2028, 0x202F},   {0x205F, 0x206F},	 {0x3000, 0x3000}, {0xD800, 0xF8FF},
	{0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB},	 {0xFFFE, 0xFFFF}, {0x1FFFE, 0x1FFFF},
	{0xE0000, 0xE00FF}, {0xF0000, RUNE_MAX},
};

/* Punctuation and symbols that no identifier holds. */
static const struct range symbol_ranges[] = {
	{0x80, 0xA9},	  {0xAB, 0xB4},	    {0xB6, 0xB9},     {0xBB, 0xBF},	  {0xD7, 0xD7},
	{0xF7, 0xF7},	  {0x2000, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF},	  {0x3000, 0x3004},
	{0x3008, 0x3020}, {0xD800, 0xF8FF}, {0xFFFC, 0xFFFF}, {0x1F000, 0x1FAFF},
};

static bool is_in(const struct range *ranges, size_t n, uint32_t r)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = low + (n - low) / 2;

		if (r > ranges[mid].last)
			low = mid + 1;
		else if (r < ranges[mid].first)
			n = mid;
		else
			return true;
	}
	return false;
}

/* Length of the sequence that the byte C begins; 0 when it begins none. */
static size_t sequence_len(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xC2 && c <= 0xDF)
		return 2;
	if (c >= 0xE0 && c <= 0xEF)
		return 3;
	return c >= 0xF0 && c <= 0xF4 ? 4 : 0;
}

size_t rune_decode(const char *s, size_t len, uint32_t *ret_rune)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)s;
	size_t n = sequence_len(p[0]);
	uint32_t r = p[0];

	*ret_rune = RUNE_ERROR;
	if (n == 0 || n > len)
		return 1;
	if (n > 1)
		r &= 0x7Fu >> n;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 1;
		r = r << 6 | (p[i] & 0x3F);
	}
	if (r < smallest[n] || r > RUNE_MAX || (r >= 0xD800 && r <= 0xDFFF))
		return 1;
	*ret_rune = r;
	return n;
}

size_t rune_encode(uint32_t r, char buf[static 4])
{
	static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
	size_t n = 0;

	if (r > RUNE_MAX || (r >= 0xD800 && r <= 0xDFFF))
		r = RUNE_ERROR;
	n = r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		buf[i] = (char)(0x80 | (r & 0x3F));
		r >>= 6;
	}
	buf[0] = (char)(lead[n] | r);
	return n;
}

size_t rune_count(const char *s, size_t len)
{
	size_t n = 0;
	uint32_t r = 0;

	for (size_t i = 0; i < len; n++)
		i += rune_decode(s + i, len - i, &r);
	return n;
}

unsigned rune_width(uint32_t r)
{
	return r >= 0x1100 && is_in(wide_ranges, ARRAY_LEN(wide_ranges), r) ? 2 : 1;
}

size_t rune_text_width(const char *s, size_t len)
{
	size_t width = 0;
	uint32_t r = 0;

	for (size_t i = 0; i < len;) {
		if ((unsigned char)s[i] < 0x80) {
			width++;
			i++;
			continue;
		}
		i += rune_decode(s + i, len - i, &r);
		width += rune_width(r);
	}
	return width;
}

bool rune_is_word(uint32_t r)
{
	if (r < 0x80)
		return r == '_' || (r >= '0' && r <= '9') ||
		       ((r | 0x20) >= 'a' && (r | 0x20) <= 'z');
	return r <= RUNE_MAX && r != RUNE_ERROR &&
	       !is_in(symbol_ranges, ARRAY_LEN(symbol_ranges), r);
}

bool rune_is_print(uint32_t r)
{
	if (r < 0x7F)
		return r >= 0x20;
	return r <= RUNE_MAX && !is_in(unprintable_ranges, ARRAY_LEN(unprintable_ranges), r);
}

/* Letters whose lower form lies a fixed distance above the upper one. */
static const struct {
	uint32_t first, last, distance;
} case_ranges[] = {
	{'A', 'Z', 32},	      {0xC0, 0xD6, 32},	    {0xD8, 0xDE, 32},	{0x391, 0x3A1, 32},
	{0x3A3, 0x3A9, 32},   {0x400, 0x40F, 80},   {0x410, 0x42F, 32}, {0x531, 0x556, 48},
	{0x24B6, 0x24CF, 26}, {0xFF21, 0xFF3A, 32},
};

/* Blocks in which an upper letter is followed by its lower one; PARITY is that of the upper. */
static const struct {
	uint32_t first, last, parity;
} case_pairs[] = {
	{0x100, 0x12F, 0},   {0x132, 0x137, 0},	  {0x139, 0x148, 1}, {0x14A, 0x177, 0},
	{0x179, 0x17E, 1},   {0x460, 0x481, 0},	  {0x48A, 0x4BF, 0}, {0x4D0, 0x52F, 0},
	{0x1E00, 0x1E95, 0}, {0x1EA0, 0x1EFF, 0},
};

uint32_t rune_to_upper(uint32_t r)
{
	for (size_t i = 0; i < ARRAY_LEN(case_ranges); i++) {
		uint32_t d = case_ranges[i].distance;

		if (r >= case_ranges[i].first + d && r <= case_ranges[i].last + d)
			return r - d;
	}
	for (size_t i = 0; r >= 0x100 && i < ARRAY_LEN(case_pairs); i++) {
		if (r >= case_pairs[i].first && r <= case_pairs[i].last)
			return (r & 1) == case_pairs[i].parity ? r : r - 1;
	}
	return r == 0xFF ? 0x178 : r == 0xB5 ? 0x39C : r;
}

uint32_t rune_to_lower(uint32_t r)
{
	for (size_t i = 0; i < ARRAY_LEN(case_ranges); i++) {
		if (r >= case_ranges[i].first && r <= case_ranges[i].last)
			return r + case_ranges[i].distance;
	}
	for (size_t i = 0; r >= 0x100 && i < ARRAY_LEN(case_pairs); i++) {
		if (r >= case_pairs[i].first && r <= case_pairs[i].last)
			return (r & 1) == case_pairs[i].parity ? r + 1 : r;
	}
	return r == 0x178 ? 0xFF : r;
}

void str_add_rune(struct str *out, uint32_t r)
{
	char buf[4];

	str_add_bytes(out, buf, rune_encode(r, buf));
}

void str_add_ellipsis(struct str *out, const char *s, size_t max)
{
	size_t len = strlen(s), width = 0, cut = 0;
	uint32_t r = 0;

	if (max == 0)
		return;
	/* CUT is the longest prefix that leaves one column for the ellipsis. */
	for (size_t i = 0; i < len;) {
		size_t n = rune_decode(s + i, len - i, &r);

		width += rune_width(r);
		i += n;
		if (width <= max - 1)
			cut = i;
	}
	if (width <= max) {
		str_add(out, s);
		return;
	}
	str_add_bytes(out, s, cut);
	str_add(out, "…");
}
