/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of characters in regular expressions. Without regard to case a character is looked up in all
 * its forms, so that ranges stay as they were written.
 */
#include "json/pattern_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/rune.h"

#define R(...)                                       \
	(const struct pattern_range[]){__VA_ARGS__}, \
		sizeof((const struct pattern_range[]){__VA_ARGS__}) / sizeof(struct pattern_range)

struct named_class {
	const char *name;
	const struct pattern_range *ranges;
	size_t n_ranges;
};

static const struct named_class posix_classes[] = {
	{"alnum", R({'0', '9'}, {'A', 'Z'}, {'a', 'z'})},
	{"alpha", R({'A', 'Z'}, {'a', 'z'})},
	{"ascii", R({0, 0x7f})},
	{"blank", R({'\t', '\t'}, {' ', ' '})},
	{"cntrl", R({0, 0x1f}, {0x7f, 0x7f})},
	{"digit", R({'0', '9'})},
	{"graph", R({'!', '~'})},
	{"lower", R({'a', 'z'})},
	{"print", R({' ', '~'})},
	{"punct", R({'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'})},
	{"space", R({'\t', '\r'}, {' ', ' '})},
	{"upper", R({'A', 'Z'})},
	{"word", R({'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'})},
	{"xdigit", R({'0', '9'}, {'A', 'F'}, {'a', 'f'})},
};

static const struct named_class perl_classes[] = {
	{"d", R({'0', '9'})},
	{"s", R({'\t', '\n'}, {'\f', '\r'}, {' ', ' '})},
	{"w", R({'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'})},
};

/* The ASCII characters of Unicode's categories and scripts; those of unicode_empty have none. */
static const struct named_class unicode_classes[] = {
	{"Any", R({0, PATTERN_MAX_RUNE})},
	{"C", R({0, 0x1f}, {0x7f, 0x7f})},
	{"Cc", R({0, 0x1f}, {0x7f, 0x7f})},
	{"Common", R({0, '@'}, {'[', '`'}, {'{', 0x7f})},
	{"L", R({'A', 'Z'}, {'a', 'z'})},
	{"Latin", R({'A', 'Z'}, {'a', 'z'})},
	{"Ll", R({'a', 'z'})},
	{"Lu", R({'A', 'Z'})},
	{"N", R({'0', '9'})},
	{"Nd", R({'0', '9'})},
	{"P", R({'!', '#'}, {'%', '*'}, {',', '/'}, {':', ';'}, {'?', '@'}, {'[', ']'}, {'_', '_'},
		{'{', '{'}, {'}', '}'})},
	{"Pc", R({'_', '_'})},
	{"Pd", R({'-', '-'})},
	{"Pe", R({')', ')'}, {']', ']'}, {'}', '}'})},
	{"Po", R({'!', '#'}, {'%', '\''}, {'*', '*'}, {',', ','}, {'.', '/'}, {':', ';'},
		 {'?', '@'}, {'\\', '\\'})},
	{"Ps", R({'(', '('}, {'[', '['}, {'{', '{'})},
	{"S",
	 R({'$', '$'}, {'+', '+'}, {'<', '>'}, {'^', '^'}, {'`', '`'}, {'|', '|'}, {'~', '~'})},
	{"Sc", R({'$', '$'})},
	{"Sk", R({'^', '^'}, {'`', '`'})},
	{"Sm", R({'+', '+'}, {'<', '>'}, {'|', '|'}, {'~', '~'})},
	{"Z", R({' ', ' '})},
	{"Zs", R({' ', ' '})},
};

static const char unicode_empty[] =
	" Cf Co Cs Lm Lo Lt M Mc Me Mn Nl No Pf Pi So Zl Zp Adlam Ahom Anatolian_Hieroglyphs "
	"Arabic "
	"Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille "
	"Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee "
	"Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru "
	"Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic "
	"Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran "
	"Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian "
	"Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khmer "
	"Khojki "
	"Khudawadi Lao Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar "
	"Malayalam "
	"Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui "
	"Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean "
	"Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki "
	"Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian "
	"Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene "
	"Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada "
	"Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri "
	"Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana "
	"Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi "
	"Zanabazar_Square ";

static struct class_item *add_item(struct pattern_class *class, bool negated, bool fold)
{
	class->items = mem_realloc_array(class->items, class->n_items + 1, sizeof(*class->items));
	class->items[class->n_items] = (struct class_item){.negated = negated, .fold = fold};
	return &class->items[class->n_items++];
}

void pattern_class_add_range(struct pattern_class *class, uint32_t first, uint32_t last, bool fold)
{
	struct class_item *item = add_item(class, false, fold);

	item->ranges = mem_alloc(sizeof(*item->ranges));
	item->ranges[0] = (struct pattern_range){first, last};
	item->n_ranges = 1;
}

static bool add_named(struct pattern_class *class, const struct named_class *table, size_t n,
		      const char *name, size_t len, struct class_item flags)
{
	for (size_t i = 0; i < n; i++) {
		struct class_item *item = NULL;

		if (strlen(table[i].name) != len || memcmp(table[i].name, name, len) != 0)
			continue;
		item = add_item(class, flags.negated, flags.fold);
		/* The item owns no ranges of its own then, and never writes to them. */
		item->is_static = true;
		item->ranges = (struct pattern_range *)(uintptr_t)table[i].ranges;
		item->n_ranges = table[i].n_ranges;
		return true;
	}
	return false;
}

bool pattern_class_add_posix(struct pattern_class *class, const char *name, size_t len,
			     bool negated, bool fold)
{
	const struct class_item flags = {.negated = negated, .fold = fold};

	return add_named(class, posix_classes, ARRAY_LEN(posix_classes), name, len, flags);
}

bool pattern_class_add_perl(struct pattern_class *class, char letter, bool fold)
{
	bool negated = letter >= 'A' && letter <= 'Z';
	const char name = negated ? (char)(letter - 'A' + 'a') : letter;
	const struct class_item flags = {.negated = negated, .fold = fold};

	return add_named(class, perl_classes, ARRAY_LEN(perl_classes), &name, 1, flags);
}

bool pattern_class_add_unicode(struct pattern_class *class, const char *name, size_t len,
			       bool negated, bool fold)
{
	const struct class_item flags = {.negated = negated, .fold = fold};
	cleanup_free char *word = str_printf(" %.*s ", (int)len, name);

	if (add_named(class, unicode_classes, ARRAY_LEN(unicode_classes), name, len, flags))
		return true;
	if (len == 0 || memchr(name, ' ', len) || !strstr(unicode_empty, word))
		return false;
	add_item(class, negated, fold);
	return true;
}

static bool has_exactly(const struct class_item *item, uint32_t rune)
{
	for (size_t i = 0; i < item->n_ranges; i++)
		if (rune >= item->ranges[i].first && rune <= item->ranges[i].last)
			return true;
	return false;
}

/* The Kelvin sign and the long s are forms of ASCII letters too. */
static uint32_t third_form(uint32_t lower)
{
	return lower == 'k' ? 0x212a : lower == 's' ? 0x17f : lower;
}

static bool item_has(const struct class_item *item, uint32_t rune)
{
	uint32_t lower = 0;

	if (has_exactly(item, rune))
		return !item->negated;
	if (!item->fold)
		return item->negated;
	lower = rune == 0x212a ? 'k' : rune == 0x17f ? 's' : rune_to_lower(rune);
	return (has_exactly(item, lower) || has_exactly(item, rune_to_upper(lower)) ||
		has_exactly(item, third_form(lower))) != item->negated;
}

bool pattern_class_has(const struct pattern_class *class, uint32_t rune)
{
	for (size_t i = 0; i < class->n_items; i++)
		if (item_has(&class->items[i], rune))
			return !class->negated;
	return class->negated;
}

void pattern_class_done(struct pattern_class *class)
{
	for (size_t i = 0; i < class->n_items; i++)
		if (!class->items[i].is_static)
			free(class->items[i].ranges);
	free(class->items);
	*class = (struct pattern_class){};
}
