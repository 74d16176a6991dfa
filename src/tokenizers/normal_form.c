/* Owns decomposition, canonical ordering and composition (UAX #15, sections 1.3 and 9). Works on stretches
 * that begin at a character below U+0300: nothing below it ever combines with what stands before. */
#include "tokenizers/normal_form.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizers/canonical_tables.inc"
#include "tokenizers/compatible_tables.inc"

/* A code point in work: the combining class above it; a byte that is not UTF-8 has the top bit. */
enum { CLASS_SHIFT = 21, POINT_MASK = 0x1FFFFF, SHORT_RUN = 16 };
#define RAW_BYTE 0x80000000u

enum {
    L_BASE = 0x1100,
    V_BASE = 0x1161,
    T_BASE = 0x11A7,
    S_BASE = 0xAC00,
    V_COUNT = 21,
    T_COUNT = 28,
    L_COUNT = 19,
    S_COUNT = 11172
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* How many of the sorted values are at most `value`. */
static size_t upper_bound(const uint32_t *values, size_t count, uint32_t value)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (values[middle] <= value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t combining_class(uint32_t c)
{
    if (c < 0x300 || c > 0x1FFFF) {
        return 0;
    }
    size_t at = upper_bound(unicode_combining_start, COUNT_OF(unicode_combining_start), c << 8 | 0xFF);
    if (at == 0) {
        return 0;
    }
    uint32_t start = unicode_combining_start[at - 1];
    return c - (start >> 8) < unicode_combining_count[at - 1] ? start & 0xFF : 0;
}

/* The index of c in a sorted table of 16-bit values, or -1. */
static int find_16(const uint16_t *values, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (values[middle] < c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && values[low] == c ? (int)low : -1;
}

/* One level of canonical decomposition into parts[2]; returns how many parts there are, 0 when c stays. */
static int canonical_parts(uint32_t c, uint32_t parts[2])
{
    if (c < 0xC0 || (c >= 0x3100 && c < 0xF900)) {
        return 0;
    }
    if (c < 0x10000) {
        size_t low = 0, high = COUNT_OF(unicode_pair_order);
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (unicode_pair_whole[unicode_pair_order[middle]] < c) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        size_t pair = low < COUNT_OF(unicode_pair_order) ? unicode_pair_order[low] : 0;
        if (unicode_pair_whole[pair] == c) {
            parts[0] = unicode_pair_first[pair];
            parts[1] = unicode_pair_second[pair];
            return 2;
        }
        int single = find_16(unicode_single, COUNT_OF(unicode_single), c);
        if (single >= 0) {
            parts[0] = unicode_single_to[single];
            return 1;
        }
    }
    size_t wide = upper_bound(unicode_wide_single, COUNT_OF(unicode_wide_single), c);
    if (wide > 0 && unicode_wide_single[wide - 1] == c) {
        parts[0] = unicode_wide_single_to[wide - 1];
        return 1;
    }
    for (size_t i = 0; i < COUNT_OF(unicode_wide_pair) && c > 0xFFFF; i += 3) {
        if (unicode_wide_pair[i + 2] == c) {
            parts[0] = unicode_wide_pair[i];
            parts[1] = unicode_wide_pair[i + 1];
            return 2;
        }
    }
    return 0;
}

static bool add_point(scratch *work, uint32_t c)
{
    uint32_t entry = c | combining_class(c) << CLASS_SHIFT;
    return scratch_append(work, (const char *)&entry, sizeof entry);
}

/* The complete compatibility decomposition of c, if it has one. */
static bool add_compatible(scratch *work, uint32_t c, bool *has_one)
{
    size_t at = c < 0xA0 || (c >= 0x3400 && c < 0xA69C)
                    ? 0
                    : upper_bound(unicode_compatible_start, COUNT_OF(unicode_compatible_start), c);
    uint32_t shape = at == 0 ? 0 : unicode_compatible_shape[at - 1], units = shape & 31;
    uint32_t index = at == 0 ? 0 : c - unicode_compatible_start[at - 1];
    *has_one = at != 0 && index < shape >> 5;
    const uint16_t *data =
        *has_one ? &unicode_compatible_data[unicode_compatible_at[at - 1] + index * units] : NULL;
    for (uint32_t i = 0; *has_one && i < units; i++) {
        uint32_t point = data[i];
        if (point >= 0xD800 && point < 0xDC00 && i + 1 < units) {
            point = 0x10000 + ((point - 0xD800) << 10) + (data[++i] - 0xDC00u);
        }
        if (!add_point(work, point)) {
            return false;
        }
    }
    return true;
}

static bool add_decomposed(scratch *work, uint32_t c, bool compatible)
{
    uint32_t pending[8], count = 1;
    pending[0] = c;
    while (count > 0) {
        uint32_t now = pending[--count], parts[2] = {0, 0};
        bool has_one = false;
        if (now >= S_BASE && now < S_BASE + S_COUNT) {
            uint32_t s = now - S_BASE, tail = s % T_COUNT;
            if (!add_point(work, L_BASE + s / (V_COUNT * T_COUNT)) ||
                !add_point(work, V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT) ||
                (tail != 0 && !add_point(work, T_BASE + tail))) {
                return false;
            }
            continue;
        }
        if (compatible && !add_compatible(work, now, &has_one)) {
            return false;
        }
        if (has_one) {
            continue;
        }
        int n = canonical_parts(now, parts);
        if (n == 0 && !add_point(work, now)) {
            return false;
        }
        for (int i = n; i > 0 && count < 8; i--) {
            pending[count++] = parts[i - 1];
        }
    }
    return true;
}

/* Stable sort by class; long runs of marks by counting, so that no text makes this quadratic. */
static bool order_run(uint32_t *points, size_t count, scratch *work)
{
    if (count <= SHORT_RUN) {
        for (size_t i = 1; i < count; i++) {
            uint32_t moved = points[i];
            size_t at = i;
            for (; at > 0 && points[at - 1] >> CLASS_SHIFT > moved >> CLASS_SHIFT; at--) {
                points[at] = points[at - 1];
            }
            points[at] = moved;
        }
        return true;
    }
    size_t first[257] = {0};
    uint32_t *sorted = memory_allocate(work->allocator, count * sizeof *sorted);
    if (sorted == NULL) {
        work->failed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        first[(points[i] >> CLASS_SHIFT) + 1]++;
    }
    for (size_t i = 1; i < 257; i++) {
        first[i] += first[i - 1];
    }
    for (size_t i = 0; i < count; i++) {
        sorted[first[points[i] >> CLASS_SHIFT]++] = points[i];
    }
    memcpy(points, sorted, count * sizeof *sorted);
    memory_release(work->allocator, sorted, count * sizeof *sorted);
    return true;
}

static bool order(scratch *work)
{
    uint32_t *points = (uint32_t *)(void *)work->data;
    size_t count = work->size / sizeof *points;
    for (size_t at = 0; at < count;) {
        size_t end = at;
        while (end < count && points[end] < RAW_BYTE && points[end] >> CLASS_SHIFT != 0) {
            end++;
        }
        if (end > at + 1 && !order_run(points + at, end - at, work)) {
            return false;
        }
        at = end + (end == at);
    }
    return true;
}

/* The composition of two code points, 0 where they do not compose. */
static uint32_t composed(uint32_t a, uint32_t b)
{
    if (a >= L_BASE && a < L_BASE + L_COUNT && b >= V_BASE && b < V_BASE + V_COUNT) {
        return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
    }
    if (a >= S_BASE && a < S_BASE + S_COUNT && (a - S_BASE) % T_COUNT == 0 && b > T_BASE &&
        b < T_BASE + T_COUNT) {
        return a + (b - T_BASE);
    }
    if (a > 0xFFFF || b > 0xFFFF) {
        for (size_t i = 0; i < 3 * UNICODE_WIDE_PAIRS_COMPOSING; i += 3) {
            if (unicode_wide_pair[i] == a && unicode_wide_pair[i + 1] == b) {
                return unicode_wide_pair[i + 2];
            }
        }
        return 0;
    }
    size_t low = 0, high = UNICODE_PAIRS_COMPOSING;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint32_t key = (uint32_t)unicode_pair_first[middle] << 16 | unicode_pair_second[middle];
        if (key < (a << 16 | b)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_here =
        low < UNICODE_PAIRS_COMPOSING && unicode_pair_first[low] == a && unicode_pair_second[low] == b;
    return is_here ? unicode_pair_whole[low] : 0;
}

static void compose(scratch *work)
{
    uint32_t *points = (uint32_t *)(void *)work->data;
    size_t count = work->size / sizeof *points, out = 0, starter = SIZE_MAX;
    uint32_t last_class = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t entry = points[i], class = entry >> CLASS_SHIFT;
        if (entry >= RAW_BYTE) {
            starter = SIZE_MAX;
            points[out++] = entry;
            continue;
        }
        bool is_reachable =
            starter != SIZE_MAX && (last_class < class || (last_class == 0 && starter + 1 == out));
        uint32_t whole = is_reachable ? composed(points[starter] & POINT_MASK, entry & POINT_MASK) : 0;
        if (whole != 0) {
            points[starter] = whole;
            continue;
        }
        starter = class == 0 ? out : starter;
        last_class = class;
        points[out++] = entry;
    }
    work->size = out * sizeof *points;
}

static bool write_points(scratch *out, const scratch *work)
{
    const uint32_t *points = (const uint32_t *)(const void *)work->data;
    for (size_t i = 0; i < work->size / sizeof *points; i++) {
        char byte = (char)points[i];
        bool ok = points[i] >= RAW_BYTE ? scratch_append(out, &byte, 1)
                                        : scratch_append_code_point(out, points[i] & POINT_MASK);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* The end of the stretch that begins at `at`: before the next character below U+0300 (whose first byte is
 * below 0xCC). */
static size_t stretch_end(const char *text, size_t size, size_t at)
{
    at++;
    while (at < size && ((uint8_t)text[at] >= 0xCC || ((uint8_t)text[at] & 0xC0) == 0x80)) {
        at++;
    }
    return at;
}

bool normal_form_append(scratch *out, scratch *work, const char *text, size_t size, int flags)
{
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && (uint8_t)text[end] < 0x80) {
            end++;
        }
        size_t plain = end == size ? end
                       : end > at  ? end - 1
                                   : end; /* a mark may combine with the last of them */
        if (plain > at) {
            if (!scratch_append(out, text + at, plain - at)) {
                return false;
            }
            at = plain;
            continue;
        }
        end = stretch_end(text, size, at);
        work->size = 0;
        while (at < end) {
            uint32_t c;
            size_t length = utf8_decode(text + at, end - at, &c);
            uint32_t raw = RAW_BYTE | (uint8_t)text[at];
            bool ok = c == UINT32_MAX ? scratch_append(work, (const char *)&raw, sizeof raw)
                                      : add_decomposed(work, c, (flags & NORMAL_FORM_COMPATIBLE) != 0);
            if (!ok) {
                return false;
            }
            at += length;
        }
        if (!order(work)) {
            return false;
        }
        if ((flags & NORMAL_FORM_COMPOSED) != 0) {
            compose(work);
        }
        if (!write_points(out, work)) {
            return false;
        }
    }
    return true;
}
