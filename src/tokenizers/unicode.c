/* Owns the tables of categories and of lower case. What lies outside it: CJK extension letters from U+20000
 * on, and private use. */
#include "tokenizers/unicode.h"

#include "tokenizers/unicode_tables.inc"

enum {
    TABLE_END = 0x20000,
    TAG_BEGIN = 0xE0000,
    TAG_END = 0xE0200,
    PRIVATE_BEGIN = 0xF0000,
    LAST = 0x10FFFF
};

static uint32_t category_outside_table(uint32_t c)
{
    if (c >= PRIVATE_BEGIN) {
        return c <= LAST && (c & 0xFFFF) < 0xFFFE ? UNICODE_CO : UNICODE_CN;
    }
    enum { BOUNDS = sizeof unicode_high_letters / sizeof unicode_high_letters[0] };
    for (size_t i = 0; i < BOUNDS; i += 2) {
        if (c >= unicode_high_letters[i] && c <= unicode_high_letters[i + 1]) {
            return UNICODE_LO;
        }
    }
    return UNICODE_CN;
}

static uint32_t category_of(uint32_t c)
{
    if (c >= TABLE_END) {
        if (c < TAG_BEGIN || c >= TAG_END) {
            return category_outside_table(c);
        }
        c = c - TAG_BEGIN + TABLE_END;
    }
    uint32_t inner = unicode_category_inner[((uint32_t)unicode_category_outer[c >> 8] << 4) + (c >> 4 & 15)];
    return unicode_category_data[(inner << 4) + (c & 15)];
}

uint32_t unicode_mask(uint32_t c)
{
    uint32_t bit = UNICODE_BIT(category_of(c));
    bool is_space = (bit & UNICODE_SEPARATORS) != 0 || (c >= 9 && c <= 13) || c == 0x85;
    return is_space ? bit | UNICODE_SPACES : bit;
}

bool unicode_is_word(uint32_t c)
{
    const uint32_t words = UNICODE_LETTERS | UNICODE_MARKS | UNICODE_BIT(UNICODE_ND) |
                           UNICODE_BIT(UNICODE_NL) | UNICODE_BIT(UNICODE_PC);
    bool is_enclosed_letter = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
                              (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
    return (unicode_mask(c) & words) != 0 || is_enclosed_letter || c == 0x200C || c == 0x200D;
}

bool unicode_is_bert_punctuation(uint32_t c)
{
    if (c < 0x80) {
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    }
    return (unicode_mask(c) & UNICODE_PUNCTUATION) != 0;
}

uint32_t unicode_lower(uint32_t c)
{
    if (c < 0x80) {
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    size_t low = 0, high = sizeof unicode_lower_start / sizeof unicode_lower_start[0];
    while (low < high) { /* the last range that begins at or before c */
        size_t middle = (low + high) / 2;
        if (unicode_lower_start[middle] <= c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return c;
    }
    uint32_t distance = c - unicode_lower_start[low - 1], shape = unicode_lower_count[low - 1];
    uint32_t stride = shape & 3, count = shape >> 2;
    bool is_in = distance % stride == 0 && distance / stride < count;
    return is_in ? (uint32_t)((int32_t)c + unicode_lower_delta[low - 1]) : c;
}
