/* Owns the text between tokens and the caller: holds back what may still become a stop string or is half a
 * character, and hands out valid UTF-8 only (each ill-formed sequence becomes one U+FFFD). One
 * Knuth-Morris-Pratt matcher per stop string: linear in the text for each. The string that is complete first
 * wins; of several that end at the same byte, the longest. Refuses empty strings and more than the limits
 * below. */
#include <string.h>

#include "base/error.h"
#include "generate/sampler.h"

enum { STOP_COUNT_MAX = 64, STOP_BYTES_MAX = 64 * 1024, REPLACEMENT_BYTES = 3 };

typedef struct stop_string {
    const char *bytes; /* [size] */
    size_t size;
    uint32_t *border; /* [size + 1] length of the longest proper border of each prefix */
    size_t matched;   /* bytes of it that end the text so far */
} stop_string;

/* A queue of bytes: data[begin..end) is in it. */
typedef struct byte_queue {
    char *data; /* [capacity] */
    size_t begin, end, capacity;
} byte_queue;

struct stop_filter {
    arena memory;
    stop_string *stops; /* [stop_count] */
    size_t stop_count;
    byte_queue held;  /* raw bytes that are not certain */
    byte_queue ready; /* whole characters that were not taken */
    bool is_stopped;
};

/* --------------------------------------------------------------------------------------------------- queue
 */

/* Makes room for `more` bytes at the end; false without memory, and nothing has changed then. */
static bool queue_reserve(byte_queue *q, size_t more, const smidgen_allocator *allocator)
{
    size_t used = q->end - q->begin;
    if (q->capacity - q->end >= more) {
        return true;
    }
    if (more > SIZE_MAX / 4 - used) {
        return false;
    }
    if (q->capacity - used >= more &&
        q->begin >= used) { /* moving costs no more than what was taken before */
        memmove(q->data, q->data + q->begin, used);
    } else {
        size_t capacity = 2 * (used + more) + 64;
        char *data = memory_allocate(allocator, capacity);
        if (data == NULL) {
            return false;
        }
        if (used != 0) {
            memcpy(data, q->data + q->begin, used);
        }
        memory_release(allocator, q->data, q->capacity);
        q->data = data;
        q->capacity = capacity;
    }
    q->begin = 0;
    q->end = used;
    return true;
}

static void queue_drop(byte_queue *q, size_t count)
{
    q->begin += count;
    if (q->begin == q->end) {
        q->begin = q->end = 0;
    }
}

/* ---------------------------------------------------------------------------------------------- characters
 */

/* Length of the well-formed character, or of the longest beginning of one (at least 1), at text[0..size),
 * size > 0. *is_whole: it is a character. *may_grow: size ended before anything went wrong. Unicode 15, table
 * 3-7. */
static size_t character_length(const uint8_t *text, size_t size, bool *is_whole, bool *may_grow)
{
    uint8_t first = text[0];
    *may_grow = false;
    *is_whole = first < 0x80;
    if (first < 0xC2 || first > 0xF4) {
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    for (size_t i = 1; i < length; i++) {
        if (i == size) {
            *may_grow = true;
            return i;
        }
        uint8_t low = 0x80, high = 0xBF;
        if (i == 1) {
            low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
            high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        }
        if (text[i] < low || text[i] > high) {
            return i;
        }
    }
    *is_whole = true;
    return length;
}

/* Moves held bytes to `ready`, where room was reserved, as long as they begin before `certain` bytes from the
 * start. A character that is cut by `certain` stays, unless `is_end`: then nothing follows. */
static void release_characters(stop_filter *f, size_t certain, bool is_end)
{
    byte_queue *held = &f->held, *ready = &f->ready;
    while (certain > 0) {
        bool is_whole, may_grow;
        const char *text = held->data + held->begin;
        size_t length = character_length((const uint8_t *)text, certain, &is_whole, &may_grow);
        if (may_grow && !is_end) {
            return;
        }
        memcpy(ready->data + ready->end, is_whole ? text : "\xEF\xBF\xBD",
               is_whole ? length : REPLACEMENT_BYTES);
        ready->end += is_whole ? length : REPLACEMENT_BYTES;
        queue_drop(held, length);
        certain -= length;
    }
}

/* -------------------------------------------------------------------------------------------------- filter
 */

static bool stop_string_init(stop_string *s, const char *text, arena *a)
{
    s->size = strlen(text);
    s->bytes = arena_copy_text(a, text, s->size);
    s->border = arena_array(a, s->size + 1, sizeof *s->border);
    if (s->bytes == NULL || s->border == NULL) {
        return false;
    }
    size_t border = 0;
    for (size_t i = 1; i < s->size; i++) {
        while (border > 0 && s->bytes[i] != s->bytes[border]) {
            border = s->border[border];
        }
        border += s->bytes[i] == s->bytes[border];
        s->border[i + 1] = (uint32_t)border;
    }
    return true;
}

static bool check_stops(const char *const *stop, size_t stop_count, smidgen_error *error)
{
    if (stop_count > STOP_COUNT_MAX) {
        return error_set_limit(error, SMIDGEN_ERROR_LIMIT, STOP_COUNT_MAX, stop_count,
                               "stop has %zu strings, allowed are 0 to %d", stop_count, STOP_COUNT_MAX);
    }
    for (size_t i = 0; i < stop_count; i++) {
        size_t size = stop == NULL || stop[i] == NULL ? 0 : strlen(stop[i]);
        if (size == 0 || size > STOP_BYTES_MAX) {
            return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                             "stop[%zu] has %zu bytes, allowed are 1 to %d", i, size, STOP_BYTES_MAX);
        }
    }
    return true;
}

stop_filter *stop_filter_create(const char *const *stop, size_t stop_count,
                                const smidgen_allocator *allocator, smidgen_error *error)
{
    if (!check_stops(stop, stop_count, error)) {
        return NULL;
    }
    stop_filter *f = memory_allocate_zeroed(allocator, sizeof *f);
    if (f == NULL) {
        error_set_memory(error, "the stop filter", sizeof *f);
        return NULL;
    }
    arena_init(&f->memory, allocator);
    f->stops = arena_array(&f->memory, stop_count, sizeof *f->stops);
    f->stop_count = stop_count;
    bool ok = f->stops != NULL;
    for (size_t i = 0; ok && i < stop_count; i++) {
        ok = stop_string_init(&f->stops[i], stop[i], &f->memory);
    }
    if (!ok) {
        error_set_memory(error, "the stop strings", f->memory.used_bytes);
        stop_filter_close(f);
        return NULL;
    }
    return f;
}

void stop_filter_close(stop_filter *f)
{
    if (f != NULL) {
        const smidgen_allocator *allocator = f->memory.allocator;
        memory_release(allocator, f->held.data, f->held.capacity);
        memory_release(allocator, f->ready.data, f->ready.capacity);
        arena_close(&f->memory);
        memory_release(allocator, f, sizeof *f);
    }
}

void stop_filter_reset(stop_filter *f)
{
    for (size_t i = 0; i < f->stop_count; i++) {
        f->stops[i].matched = 0;
    }
    f->held.begin = f->held.end = f->ready.begin = f->ready.end = 0;
    f->is_stopped = false;
}

/* Advances every matcher by one byte; returns the size of the longest stop string that is complete now, or 0.
 */
static size_t advance(stop_filter *f, char byte)
{
    size_t complete = 0;
    for (size_t i = 0; i < f->stop_count; i++) {
        stop_string *s = &f->stops[i];
        while (s->matched > 0 && byte != s->bytes[s->matched]) {
            s->matched = s->border[s->matched];
        }
        s->matched += byte == s->bytes[s->matched];
        if (s->matched == s->size && s->size > complete) {
            complete = s->size;
        }
    }
    return complete;
}

bool stop_filter_feed(stop_filter *f, const char *bytes, size_t size_bytes, bool *out_of_memory)
{
    const smidgen_allocator *allocator = f->memory.allocator;
    if (out_of_memory != NULL) {
        *out_of_memory = false;
    }
    if (f->is_stopped || size_bytes == 0) {
        return f->is_stopped;
    }
    /* held holds at most the longest stop string + 3 bytes, each of which may become a replacement */
    size_t used = f->held.end - f->held.begin;
    if (size_bytes > SIZE_MAX / 16 || !queue_reserve(&f->held, size_bytes, allocator) ||
        !queue_reserve(&f->ready, REPLACEMENT_BYTES * (used + size_bytes), allocator)) {
        if (out_of_memory != NULL) {
            *out_of_memory = true;
        }
        return false;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        f->held.data[f->held.end++] = bytes[i];
        size_t complete = advance(f, bytes[i]);
        if (complete > 0) {
            release_characters(f, f->held.end - f->held.begin - complete, true);
            f->held.begin = f->held.end = 0;
            f->is_stopped = true;
            return true;
        }
    }
    size_t longest = 0;
    for (size_t i = 0; i < f->stop_count; i++) {
        longest = f->stops[i].matched > longest ? f->stops[i].matched : longest;
    }
    release_characters(f, f->held.end - f->held.begin - longest, false);
    return false;
}

void stop_filter_finish(stop_filter *f)
{
    release_characters(f, f->held.end - f->held.begin, true);
    for (size_t i = 0; i < f->stop_count; i++) {
        f->stops[i].matched = 0;
    }
}

size_t stop_filter_take(stop_filter *f, char *text, size_t capacity)
{
    size_t count = f->ready.end - f->ready.begin;
    const char *from = f->ready.data + f->ready.begin;
    if (count > capacity) {
        count = capacity;
        while (count > 0 && ((uint8_t)from[count] & 0xC0) == 0x80) {
            count--;
        }
    }
    if (count > 0) {
        memcpy(text, from, count);
        queue_drop(&f->ready, count);
    }
    return count;
}
