/* Owns numbers of JSON schemas: at most 16 digits before and after the point, bounds as digit patterns.
 * Refuses bounds past 10^18. Fractions between bounds are offered only where the whole unit interval fits,
 * with 6 digits. */
#include <math.h>
#include <string.h>

#include "generate/schema.h"

enum { DIGITS_MAX = 18, DIGITS_OPEN = 16, FRACTION_DIGITS_BOUND = 6 };

static const int64_t LARGEST = 999999999999999999, LARGEST_OPEN = 9999999999999999;

typedef struct number_bounds {
    double low, high; /* inclusive or not */
    bool has_low, has_high, is_low_open, is_high_open;
    int64_t least, greatest; /* whole numbers that fit */
} number_bounds;

static fragment digits(schema_compiler *c, int64_t min, int64_t max)
{
    return automaton_repeat(c->a, automaton_bytes(c->a, '0', '9'), min, max);
}

static fragment digit_range(schema_compiler *c, int low, int high)
{
    return low > high ? automaton_never(c->a)
                      : automaton_bytes(c->a, (uint8_t)('0' + low), (uint8_t)('0' + high));
}

/* ------------------------------------------------------------------------------------------ whole numbers */

/* `count` digits that are at least (sign > 0) or at most (sign < 0) s[0..count). */
static fragment beyond(schema_compiler *c, const char *s, int count, int sign)
{
    automaton *a = c->a;
    fragment all = automaton_text(a, s, (size_t)count);
    for (int i = 0; i < count; i++) {
        int digit = s[i] - '0';
        if (digit == (sign > 0 ? 9 : 0)) {
            continue;
        }
        fragment one = sign > 0 ? digit_range(c, digit + 1, 9) : digit_range(c, 0, digit - 1);
        one = automaton_then(a, automaton_text(a, s, (size_t)i), one);
        all = automaton_either(a, all, automaton_then(a, one, digits(c, count - i - 1, count - i - 1)));
    }
    return all;
}

/* Numbers of `count` digits from low to high, both of that length. */
static fragment same_length(schema_compiler *c, const char *low, const char *high, int count)
{
    automaton *a = c->a;
    int shared = 0;
    while (shared < count && low[shared] == high[shared]) {
        shared++;
    }
    fragment f = automaton_text(a, low, (size_t)shared);
    if (shared == count) {
        return f;
    }
    int left = count - shared - 1, from = low[shared] - '0', to = high[shared] - '0';
    fragment first = automaton_then(a, digit_range(c, from, from), beyond(c, low + shared + 1, left, 1));
    fragment last = automaton_then(a, digit_range(c, to, to), beyond(c, high + shared + 1, left, -1));
    fragment middle = automaton_then(a, digit_range(c, from + 1, to - 1), digits(c, left, left));
    return automaton_then(a, f, automaton_either(a, first, automaton_either(a, middle, last)));
}

static int write_digits(int64_t value, char out[DIGITS_MAX + 2])
{
    char reversed[DIGITS_MAX + 2];
    int count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (int i = 0; i < count; i++) {
        out[i] = reversed[count - 1 - i];
    }
    return count;
}

/* Whole numbers from low to high, 0 <= low; nothing where low > high. */
static fragment range(schema_compiler *c, int64_t low, int64_t high)
{
    fragment all = automaton_never(c->a);
    int64_t power = 1; /* smallest number of `count` digits, but for 0 */
    for (int count = 1; count <= DIGITS_MAX; count++, power *= 10) {
        char from[DIGITS_MAX + 2], to[DIGITS_MAX + 2];
        int64_t least = count == 1 ? 0 : power, greatest = (power - 1) * 10 + 9;
        int64_t begin = low > least ? low : least, end = high < greatest ? high : greatest;
        if (begin > end) {
            continue;
        }
        if (count > 1 && begin == least && end == greatest) {
            fragment free = automaton_then(c->a, digit_range(c, 1, 9), digits(c, count - 1, count - 1));
            all = automaton_either(c->a, all, free);
            continue;
        }
        write_digits(begin, from);
        write_digits(end, to);
        all = automaton_either(c->a, all, same_length(c, from, to, count));
    }
    return all;
}

static fragment signed_range(schema_compiler *c, int64_t low, int64_t high)
{
    fragment f = automaton_never(c->a);
    if (high >= 0) {
        f = automaton_either(c->a, f, range(c, low > 0 ? low : 0, high));
    }
    if (low < 0) {
        fragment negative = range(c, high < 0 ? -high : 1, -low);
        f = automaton_either(c->a, f, automaton_then(c->a, schema_literal(c, "-"), negative));
    }
    return f;
}

/* ------------------------------------------------------------------------------------------------- bounds */

static bool read_bound(schema_compiler *c, const json_value *schema, const char *key, number_bounds *b)
{
    const json_value *value = json_get(schema, key);
    if (value == NULL) {
        return true;
    }
    double x = json_number(value, NAN);
    if (!(fabs(x) <= 1e18)) {
        return schema_fail(c, schema, "%s must be a number between -1e18 and 1e18", key);
    }
    bool is_open = key[0] == 'e',
         is_low = strcmp(is_open ? key + 9 : key, is_open ? "Minimum" : "minimum") == 0;
    int64_t whole = json_integer(value, (int64_t)(is_low ? ceil(x) : floor(x)));
    bool is_whole = json_integer(value, INT64_MIN) != INT64_MIN || (double)whole == x;
    whole += is_open && is_whole ? (is_low ? 1 : -1) : 0;
    if (is_low) {
        b->least = whole > b->least ? whole : b->least;
        if (!b->has_low || x > b->low || (x == b->low && is_open)) {
            b->low = x;
            b->is_low_open = is_open;
        }
        b->has_low = true;
    } else {
        b->greatest = whole < b->greatest ? whole : b->greatest;
        if (!b->has_high || x < b->high || (x == b->high && is_open)) {
            b->high = x;
            b->is_high_open = is_open;
        }
        b->has_high = true;
    }
    return true;
}

static bool read_bounds(schema_compiler *c, const schema_entry *e, number_bounds *b)
{
    *b = (number_bounds){.least = -LARGEST, .greatest = LARGEST};
    for (int32_t i = 0; i < e->count; i++) {
        const json_value *schema = e->items[i].schema;
        if (!read_bound(c, schema, "minimum", b) || !read_bound(c, schema, "maximum", b) ||
            !read_bound(c, schema, "exclusiveMinimum", b) || !read_bound(c, schema, "exclusiveMaximum", b)) {
            return false;
        }
    }
    if (!b->has_high && b->least <= LARGEST_OPEN) {
        b->greatest = LARGEST_OPEN;
    }
    if (!b->has_low && b->greatest >= -LARGEST_OPEN) {
        b->least = -LARGEST_OPEN;
    }
    return true;
}

static int64_t clamp_unit(double x)
{
    return (int64_t)(x < -1e9 ? -1e9 : x > 1e9 ? 1e9 : x);
}

/* n.ddd for every n >= 0 whose interval [n, n + 1) lies inside the bounds, and -n.ddd for every (-n - 1, -n].
 */
static fragment bounded_fractions(schema_compiler *c, const number_bounds *b)
{
    automaton *a = c->a;
    double low = b->has_low ? b->low : -1e9, high = b->has_high ? b->high : 1e9;
    int64_t least = clamp_unit(b->is_low_open ? floor(low) + 1 : ceil(low)),
            greatest = clamp_unit(floor(high) - 1);
    fragment f = range(c, least > 0 ? least : 0, greatest);
    int64_t nearest = clamp_unit(b->is_high_open ? floor(-high) + 1 : ceil(-high)),
            farthest = clamp_unit(-ceil(low) - 1);
    fragment negative = range(c, nearest > 0 ? nearest : 0, farthest);
    f = automaton_either(a, f, automaton_then(a, schema_literal(c, "-"), negative));
    f = automaton_then(a, f, schema_literal(c, "."));
    return automaton_then(a, f, digits(c, 1, FRACTION_DIGITS_BOUND));
}

static fragment free_number(schema_compiler *c)
{
    automaton *a = c->a;
    fragment many = automaton_then(a, digit_range(c, 1, 9), digits(c, 0, DIGITS_OPEN - 1));
    fragment whole = automaton_either(a, schema_literal(c, "0"), many);
    whole = automaton_then(a, automaton_optional(a, schema_literal(c, "-")), whole);
    fragment fraction = automaton_then(a, schema_literal(c, "."), digits(c, 1, DIGITS_OPEN));
    fragment exponent =
        automaton_then(a, schema_bytes(c, "EEee"), automaton_optional(a, schema_bytes(c, "++--")));
    exponent = automaton_then(a, exponent, digits(c, 1, 2));
    whole = automaton_then(a, whole, automaton_optional(a, fraction));
    return automaton_then(a, whole, automaton_optional(a, exponent));
}

bool schema_number(schema_compiler *c, const schema_entry *e, uint32_t types, fragment *f)
{
    number_bounds b;
    if (!read_bounds(c, e, &b)) {
        return false;
    }
    bool is_bound = b.has_low || b.has_high;
    if ((types & SCHEMA_FRACTION) != 0 && !is_bound) {
        *f = free_number(c);
        return true;
    }
    *f = signed_range(c, b.least, b.greatest);
    if ((types & SCHEMA_FRACTION) != 0) {
        *f = automaton_either(c->a, *f, bounded_fractions(c, &b));
    }
    return true;
}
