/* Stop filter against a naive oracle that sees the whole text at once. */
#include "test.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "generate/sampler.h"

static uint64_t stop_random_state = 7;

static uint32_t next_random(uint32_t below)
{
    stop_random_state = stop_random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(stop_random_state >> 33) % below;
}

/* Appends text[0..size) with each maximal ill-formed part as U+FFFD: a part is a beginning of some character.
 */
static size_t sanitise(const uint8_t *text, size_t size, char *out)
{
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        uint32_t c;
        size_t length = utf8_decode((const char *)text + at, size - at, &c);
        if (c != UINT32_MAX) {
            memcpy(out + written, text + at, length);
            written += length;
            at += length;
            continue;
        }
        /* the longest beginning that some well-formed character shares */
        size_t longest = 1;
        for (uint32_t p = 0x80; p <= 0x10FFFF; p += p < 0x800 ? 1 : 64) {
            char character[4];
            size_t n = utf8_encode(p, character), k = 0;
            if ((p >= 0xD800 && p <= 0xDFFF) || (uint8_t)character[0] != text[at]) {
                continue;
            }
            while (k < n && at + k < size && (uint8_t)character[k] == text[at + k]) {
                k++;
            }
            longest = k > longest && k < n ? k : longest;
        }
        memcpy(out + written, "\xEF\xBF\xBD", 3);
        written += 3;
        at += longest;
    }
    return written;
}

static bool oracle(const char *const *stop, size_t stop_count, const char *text, size_t size, char *out,
                   size_t *out_size)
{
    for (size_t end = 1; end <= size; end++) {
        size_t longest = 0;
        for (size_t i = 0; i < stop_count; i++) {
            size_t n = strlen(stop[i]);
            if (n <= end && n > longest && memcmp(text + end - n, stop[i], n) == 0) {
                longest = n;
            }
        }
        if (longest > 0) {
            *out_size = sanitise((const uint8_t *)text, end - longest, out);
            return true;
        }
    }
    *out_size = sanitise((const uint8_t *)text, size, out);
    return false;
}

static bool feed_in_pieces(stop_filter *f, const char *text, size_t size, char *out, size_t *out_size)
{
    *out_size = 0;
    bool stopped = false, no_memory = false;
    for (size_t at = 0; at < size && !stopped;) {
        size_t piece = next_random(6);
        piece = piece > size - at ? size - at : piece;
        stopped = stop_filter_feed(f, text + at, piece, &no_memory);
        CHECK(!no_memory);
        at += piece;
        while (next_random(3) != 0) {
            size_t taken = stop_filter_take(f, out + *out_size, 1 + next_random(9));
            CHECK(utf8_is_valid(out + *out_size, taken));
            *out_size += taken;
        }
    }
    if (!stopped) {
        stop_filter_finish(f);
    } else {
        CHECK(stop_filter_feed(f, "more", 4, &no_memory)); /* what follows is dropped */
    }
    for (size_t taken; (taken = stop_filter_take(f, out + *out_size, 4 + next_random(9))) > 0;) {
        *out_size += taken;
    }
    return stopped;
}

TEST(stop_filter_agrees_with_a_naive_oracle)
{
    static const char *const alphabet[] = {
        "a",    "b",        "ab",   "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
        "\x82", "\xF0\x9F", "\xE2", "\xED\xA0", "\xFF",         "\n"};
    for (int round = 0; round < 1500; round++) {
        uint32_t letters = round % 3 == 0 ? 3 : 12;
        char stops[4][32], text[200], expected[700], actual[700];
        const char *stop[4];
        size_t stop_count = next_random(5);
        for (size_t i = 0; i < stop_count; i++) {
            stops[i][0] = 0;
            for (uint32_t k = 0, n = 1 + next_random(5); k < n; k++) {
                size_t used = strlen(stops[i]);
                snprintf(stops[i] + used, sizeof stops[i] - used, "%s", alphabet[next_random(letters)]);
            }
            stop[i] = stops[i];
        }
        size_t size = 0;
        for (uint32_t k = 0, n = next_random(40); k < n; k++) {
            const char *piece = alphabet[next_random(letters)];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        stop_filter *f = stop_filter_create(stop, stop_count, &memory_system, NULL);
        REQUIRE(f != NULL);
        size_t expected_size, actual_size;
        bool expected_stop = oracle(stop, stop_count, text, size, expected, &expected_size);
        for (int again = 0; again < 3; again++) {
            bool actual_stop = feed_in_pieces(f, text, size, actual, &actual_size);
            CHECK_EQUAL(actual_stop, expected_stop);
            CHECK_EQUAL(actual_size, expected_size);
            CHECK(memcmp(actual, expected, expected_size) == 0);
            stop_filter_reset(f);
        }
        stop_filter_close(f);
    }
}

TEST(stop_filter_releases_text_as_soon_as_it_is_certain)
{
    const char *stop[] = {"</end>", "END"};
    stop_filter *f = stop_filter_create(stop, 2, &memory_system, NULL);
    REQUIRE(f != NULL);
    char text[32];
    bool no_memory;
    CHECK(!stop_filter_feed(f, "hello </", 8, &no_memory));
    CHECK_EQUAL(stop_filter_take(f, text, sizeof text), 6);
    CHECK(!stop_filter_feed(f, "enE", 3, &no_memory));
    CHECK_EQUAL(stop_filter_take(f, text, sizeof text), 4);
    CHECK(memcmp(text, "</en", 4) == 0);
    CHECK(!stop_filter_feed(f, "N\xE2\x82", 3, &no_memory));
    CHECK_EQUAL(stop_filter_take(f, text, sizeof text), 2);
    CHECK(!stop_filter_feed(f, "\xAC", 1, &no_memory));
    CHECK_EQUAL(stop_filter_take(f, text, 2), 0);
    CHECK_EQUAL(stop_filter_take(f, text, 3), 3);
    CHECK(stop_filter_feed(f, "ENDx", 4, &no_memory));
    CHECK_EQUAL(stop_filter_take(f, text, sizeof text), 0);
    stop_filter_close(f);
}

TEST(stop_filter_is_linear_in_long_texts)
{
    enum { SIZE = 1 << 20, STOP = 60000 };
    char *long_stop = malloc(STOP + 1), *text = malloc(SIZE);
    REQUIRE(long_stop != NULL && text != NULL);
    memset(long_stop, 'a', STOP - 1);
    long_stop[STOP - 1] = 'b';
    long_stop[STOP] = 0;
    memset(text, 'a', SIZE);
    const char *stop[] = {long_stop};
    stop_filter *f = stop_filter_create(stop, 1, &memory_system, NULL);
    REQUIRE(f != NULL);
    size_t total = 0;
    bool no_memory;
    char out[16];
    for (size_t i = 0; i < SIZE; i++) { /* a quadratic filter would move 6e10 bytes here */
        CHECK(!stop_filter_feed(f, text + i, 1, &no_memory));
        total += stop_filter_take(f, out, sizeof out);
    }
    CHECK_EQUAL(total, SIZE - STOP + 1);
    CHECK(stop_filter_feed(f, "b", 1, &no_memory));
    stop_filter_close(f);
    free(text);
    free(long_stop);
}

TEST(stop_filter_refuses_empty_and_too_many_strings)
{
    const char *empty[] = {"a", ""};
    const char *many[65];
    for (int i = 0; i < 65; i++) {
        many[i] = "x";
    }
    smidgen_error error = {0};
    CHECK(stop_filter_create(empty, 2, &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_INVALID_ARGUMENT);
    CHECK_TEXT(error.message, "stop[1] has 0 bytes, allowed are 1 to 65536");
    CHECK(stop_filter_create(many, 65, &memory_system, &error) == NULL);
    CHECK_EQUAL(error.code, SMIDGEN_ERROR_LIMIT);
    CHECK_EQUAL(error.limit, 64);
}

typedef struct failing {
    int allowed, live;
} failing;

static void *failing_allocate(void *context, size_t size_bytes)
{
    failing *f = context;
    if (f->allowed-- <= 0) {
        return NULL;
    }
    f->live++;
    return memory_system.allocate(NULL, size_bytes);
}

static void failing_release(void *context, void *block, size_t size_bytes)
{
    ((failing *)context)->live--;
    memory_system.release(NULL, block, size_bytes);
}

TEST(stop_filter_survives_every_failing_allocation)
{
    const char *stop[] = {"abc", "bcd"};
    for (int allowed = 0; allowed < 8; allowed++) {
        failing f = {allowed, 0};
        smidgen_allocator a = {failing_allocate, failing_release, &f};
        smidgen_error error = {0};
        stop_filter *filter = stop_filter_create(stop, 2, &a, &error);
        CHECK(filter != NULL || error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
        if (filter != NULL) {
            bool no_memory;
            char text[300];
            memset(text, 'x', sizeof text);
            stop_filter_feed(filter, text, sizeof text, &no_memory);
            CHECK_EQUAL(stop_filter_take(filter, text, sizeof text), no_memory ? 0 : 300);
            f.allowed = 99;
            CHECK(stop_filter_feed(filter, "abc", 3, &no_memory)); /* a failed feed changed nothing */
        }
        stop_filter_close(filter);
        CHECK_EQUAL(f.live, 0);
    }
}
