/* Stop strings and pieces of text out of any bytes: whole characters come out, whatever the pieces, and the
 * same text whatever the cuts. Input: count of stops, then stops ended by zero bytes, then the text. */
#include <stdlib.h>

#include "base/utf8.h"
#include "failing_allocator.h"
#include "generate/sampler.h"

enum { TEXT_MAX = 1 << 15 };

static size_t run(stop_filter *f, const uint8_t *text, size_t size, size_t piece, char *out)
{
    size_t used = 0;
    bool stopped = false, no_memory = false;
    for (size_t at = 0; at < size && !stopped; at += piece) {
        stopped =
            stop_filter_feed(f, (const char *)text + at, size - at < piece ? size - at : piece, &no_memory);
        used += stop_filter_take(f, out + used, 1 + piece);
        if (no_memory) {
            abort();
        }
    }
    stop_filter_finish(f);
    for (size_t taken; (taken = stop_filter_take(f, out + used, TEXT_MAX - used)) > 0;) {
        used += taken;
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[TEXT_MAX], pieces[TEXT_MAX];
    char stops[8][64];
    const char *stop[8];
    if (size < 1 || size > 8192) {
        return 0;
    }
    size_t count = data[0] % 9, at = 1;
    for (size_t i = 0; i < count; i++) {
        size_t used = 0;
        for (; at < size && data[at] != 0 && used < sizeof stops[i] - 1; at++) {
            stops[i][used++] = (char)data[at];
        }
        at += at < size;
        stops[i][used] = 0;
        stop[i] = stops[i];
    }
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    stop_filter *filter = stop_filter_create(stop, count, &f.base, NULL);
    if (filter != NULL) {
        size_t first = run(filter, data + at, size - at, size + 1, whole);
        stop_filter_reset(filter);
        size_t second = run(filter, data + at, size - at, 1 + data[0] / 9, pieces);
        if (first != second || memcmp(whole, pieces, first) != 0 || !utf8_is_valid(whole, first)) {
            abort();
        }
    }
    stop_filter_close(filter);
    if (f.live_blocks != 0 || f.was_mismatched) {
        abort();
    }
    return 0;
}
