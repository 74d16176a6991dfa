/* Owns characters and numbers. Refuses to know every alphabet: case mapping covers the scripts that templates
 * use. */
#include "generate/jinja/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

size_t jinja_space_first(const char *text, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint32_t c = (uint8_t)text[0];
    size_t length = c < 0x80 ? 1 : utf8_decode(text, size, &c);
    return is_space(c) ? length : 0;
}

size_t jinja_character_last(const char *text, size_t size)
{
    if ((uint8_t)text[size - 1] < 0x80) {
        return 1;
    }
    for (size_t back = 1; back <= 4 && back <= size; back++) {
        if (((uint8_t)text[size - back] & 0xC0) != 0x80) {
            uint32_t c;
            return utf8_decode(text + size - back, back, &c) == back ? back : 1;
        }
    }
    return 1;
}

size_t jinja_space_last(const char *text, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t length = jinja_character_last(text, size);
    return jinja_space_first(text + size - length, length);
}

size_t jinja_text_length(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t at = 0; at < size; count++) {
        uint32_t c;
        at += utf8_decode(text + at, size - at, &c);
    }
    return count;
}

size_t jinja_text_offset(const char *text, size_t size, size_t index)
{
    size_t at = 0;
    while (at < size && index-- > 0) {
        uint32_t c;
        at += utf8_decode(text + at, size - at, &c);
    }
    return at;
}

size_t jinja_text_find(const char *text, size_t size, const char *part, size_t part_size)
{
    if (part_size == 0) {
        return 0;
    }
    if (part_size > size) {
        return SIZE_MAX;
    }
    const char *found = memmem(text, size, part, part_size);
    return found == NULL ? SIZE_MAX : (size_t)(found - text);
}

size_t jinja_text_find_last(const char *text, size_t size, const char *part, size_t part_size)
{
    if (part_size == 0) {
        return size;
    }
    for (size_t end = size; end >= part_size; end--) {
        if (text[end - 1] == part[part_size - 1] && memcmp(text + end - part_size, part, part_size) == 0) {
            return end - part_size;
        }
    }
    return SIZE_MAX;
}

/* Runs of letters whose cases lie a fixed distance apart; with step 2 upper and lower alternate. */
typedef struct case_range {
    uint32_t first, last; /* of the upper case letters */
    int32_t distance;
    uint32_t step;
} case_range;

static const case_range case_ranges[] = {
    {'A', 'Z', 32, 1},      {0xC0, 0xD6, 32, 1},     {0xD8, 0xDE, 32, 1},   {0x100, 0x12E, 1, 2},
    {0x132, 0x136, 1, 2},   {0x139, 0x147, 1, 2},    {0x14A, 0x176, 1, 2},  {0x178, 0x178, -121, 1},
    {0x179, 0x17D, 1, 2},   {0x1CD, 0x1DB, 1, 2},    {0x1DE, 0x1EE, 1, 2},  {0x1F8, 0x21E, 1, 2},
    {0x222, 0x232, 1, 2},   {0x386, 0x386, 38, 1},   {0x388, 0x38A, 37, 1}, {0x38C, 0x38C, 64, 1},
    {0x38E, 0x38F, 63, 1},  {0x391, 0x3A1, 32, 1},   {0x3A3, 0x3AB, 32, 1}, {0x3D8, 0x3EE, 1, 2},
    {0x400, 0x40F, 80, 1},  {0x410, 0x42F, 32, 1},   {0x460, 0x480, 1, 2},  {0x48A, 0x4BE, 1, 2},
    {0x4C1, 0x4CD, 1, 2},   {0x4D0, 0x52E, 1, 2},    {0x531, 0x556, 48, 1}, {0x1E00, 0x1E94, 1, 2},
    {0x1EA0, 0x1EFE, 1, 2}, {0xFF21, 0xFF3A, 32, 1},
};

uint32_t jinja_lower(uint32_t c)
{
    if (c < 0x80) {
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    for (size_t i = 0; i < sizeof case_ranges / sizeof case_ranges[0]; i++) {
        const case_range *r = &case_ranges[i];
        if (c >= r->first && c <= r->last && (c - r->first) % r->step == 0) {
            return (uint32_t)((int32_t)c + r->distance);
        }
    }
    return c;
}

uint32_t jinja_upper(uint32_t c)
{
    if (c < 0x80) {
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    }
    for (size_t i = 0; i < sizeof case_ranges / sizeof case_ranges[0]; i++) {
        const case_range *r = &case_ranges[i];
        uint32_t upper = (uint32_t)((int32_t)c - r->distance);
        if (upper >= r->first && upper <= r->last && (upper - r->first) % r->step == 0) {
            return upper;
        }
    }
    return c == 0x3C2 ? 0x3A3 : c == 0xB5 ? 0x39C : c;
}

bool jinja_is_letter(uint32_t c)
{
    if (c < 0x80) {
        return (c | 32) >= 'a' && (c | 32) <= 'z';
    }
    bool is_sign = c < 0xAA || (c > 0xAA && c < 0xB5) || (c > 0xB5 && c < 0xBA) || (c > 0xBA && c < 0xC0) ||
                   c == 0xD7 || c == 0xF7 || (c >= 0x2000 && c < 0x2070) || (c >= 0x20A0 && c < 0x2100) ||
                   (c >= 0x2190 && c < 0x2C00) || (c >= 0x3000 && c < 0x3005) ||
                   (c >= 0x3008 && c < 0x3031) || (c >= 0xFE00 && c < 0xFE70) ||
                   (c >= 0xFF00 && c < 0xFF21) || (c >= 0x1F000 && c < 0x20000) || c > 0x10FFFF;
    return !is_sign;
}

static int digit_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'z' ? c - 'a' + 10
           : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                  : 99;
}

static void trim(const char **text, size_t *size)
{
    for (size_t n; (n = jinja_space_first(*text, *size)) != 0;) {
        *text += n;
        *size -= n;
    }
    for (size_t n; (n = jinja_space_last(*text, *size)) != 0;) {
        *size -= n;
    }
}

bool jinja_parse_integer(const char *text, size_t size, int base, int64_t *integer)
{
    trim(&text, &size);
    bool is_negative = size > 0 && text[0] == '-';
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+');
    if (size - at > 2 && text[at] == '0') {
        char mark = (char)(text[at + 1] | 32);
        at += (mark == 'x' && base == 16) || (mark == 'o' && base == 8) || (mark == 'b' && base == 2) ? 2 : 0;
    }
    uint64_t magnitude = 0, limit = is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    bool is_digit_last = false;
    for (; at < size; at++) {
        if (text[at] == '_' && is_digit_last) {
            is_digit_last = false;
            continue;
        }
        int digit = digit_value(text[at]);
        if (digit >= base || magnitude > (limit - (uint64_t)digit) / (uint64_t)base) {
            return false;
        }
        magnitude = magnitude * (uint64_t)base + (uint64_t)digit;
        is_digit_last = true;
    }
    *integer = (int64_t)(is_negative ? 0 - magnitude : magnitude);
    return is_digit_last;
}

/* Digits of text[at..size) into mantissa; *dropped counts those that no longer fit, *count all. Returns where
 * they end. */
static size_t read_digits(const char *text, size_t size, size_t at, uint64_t *mantissa, int *dropped,
                          int *count)
{
    for (; at < size && ((text[at] >= '0' && text[at] <= '9') || (text[at] == '_' && *count > 0)); at++) {
        if (text[at] == '_') {
            continue;
        }
        if (*mantissa <= (UINT64_MAX - 9) / 10) {
            *mantissa = *mantissa * 10 + (uint64_t)(text[at] - '0');
        } else if (*dropped < 100000) {
            (*dropped)++;
        }
        *count += *count < 100000;
    }
    return at;
}

/* Whole digits and an exponent, so that the decimal point of the C library's locale does not matter. */
static double scale_by_ten(uint64_t mantissa, int exponent)
{
    char text[JINJA_NUMBER_BYTES];
    snprintf(text, sizeof text, "%llue%d", (unsigned long long)mantissa, exponent);
    return strtod(text, NULL);
}

bool jinja_parse_float(const char *text, size_t size, double *number)
{
    trim(&text, &size);
    bool is_negative = size > 0 && text[0] == '-';
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+');
    uint64_t mantissa = 0;
    int dropped = 0, count = 0, fraction_count = 0, fraction_dropped = 0, exponent = 0;
    at = read_digits(text, size, at, &mantissa, &dropped, &count);
    if (at < size && text[at] == '.') {
        at = read_digits(text, size, at + 1, &mantissa, &fraction_dropped, &fraction_count);
    }
    if (count + fraction_count == 0) {
        return false;
    }
    if (at < size && (text[at] | 32) == 'e') {
        size_t sign = at + 1 < size && (text[at + 1] == '-' || text[at + 1] == '+');
        bool is_exponent_negative = sign && text[at + 1] == '-';
        size_t first = at + 1 + sign;
        for (at = first; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
            exponent = exponent < 100000 ? exponent * 10 + (text[at] - '0') : exponent;
        }
        if (at == first) {
            return false;
        }
        exponent = is_exponent_negative ? -exponent : exponent;
    }
    double value = scale_by_ten(mantissa, exponent + dropped - (fraction_count - fraction_dropped));
    *number = is_negative ? -value : value;
    return at == size;
}

size_t jinja_format_integer(int64_t integer, char out[JINJA_NUMBER_BYTES])
{
    return (size_t)snprintf(out, JINJA_NUMBER_BYTES, "%lld", (long long)integer);
}

/* Digits d0 d1 ... of d0.d1... * 10^exponent, in Python's layout: plain from 1e-4 up to 1e16, else with an
 * exponent. */
static size_t place_point(const char *digits, int count, int exponent, bool is_negative, char *out)
{
    const char *sign = is_negative ? "-" : "";
    int size;
    if (exponent < -4 || exponent >= 16) {
        const char *point = count > 1 ? "." : "";
        size = snprintf(out, JINJA_NUMBER_BYTES, "%s%c%s%se%c%02d", sign, digits[0], point, digits + 1,
                        exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
    } else if (exponent < 0) {
        size = snprintf(out, JINJA_NUMBER_BYTES, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    } else if (count <= exponent + 1) {
        size = snprintf(out, JINJA_NUMBER_BYTES, "%s%s%.*s.0", sign, digits, exponent + 1 - count,
                        "000000000000000");
    } else {
        size =
            snprintf(out, JINJA_NUMBER_BYTES, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
    }
    return (size_t)size;
}

size_t jinja_format_float(double number, char out[JINJA_NUMBER_BYTES])
{
    if (isnan(number) || isinf(number)) {
        return (size_t)snprintf(out, JINJA_NUMBER_BYTES, "%s",
                                isnan(number) ? "nan"
                                : number < 0  ? "-inf"
                                              : "inf");
    }
    char digits[JINJA_NUMBER_BYTES]; /* d.ddde+xx */
    int precision = 0;
    do {
        snprintf(digits, sizeof digits, "%.*e", precision, number);
    } while (strtod(digits, NULL) != number && ++precision < 17);
    const char *mark = strchr(digits, 'e');
    int exponent = (int)strtol(mark + 1, NULL, 10);
    /* Without the sign and whatever the locale takes for a decimal point. */
    char bare[JINJA_NUMBER_BYTES];
    int count = 0;
    for (const char *d = digits; d < mark; d++) {
        if (*d >= '0' && *d <= '9') {
            bare[count++] = *d;
        }
    }
    bare[count] = 0;
    return place_point(bare, count, exponent, signbit(number) != 0, out);
}
