/* An allocator for tests: blocks have exactly the size that was asked for (so that AddressSanitizer sees one
 * byte too many), every block is counted, and the n-th allocation can be made to fail.
 *
 *   for (uint64_t n = 0;; n++) {
 *       failing_allocator f;
 *       failing_allocator_bind(&f, n);
 *       thing *t = thing_open(&f.base, &error);
 *       bool is_whole = f.calls <= n;                      // fewer than n + 1 allocations: nothing was made
 * to fail CHECK(is_whole ? t != NULL : t == NULL && error.code == SMIDGEN_ERROR_OUT_OF_MEMORY);
 *       thing_close(t);
 *       CHECK(f.live_blocks == 0 && !f.was_mismatched);    // nothing leaked
 *       if (is_whole) break;
 *   }
 * UINT64_MAX: never fails. Not for use from several threads at once. */
#ifndef TESTS_FAILING_ALLOCATOR_H
#define TESTS_FAILING_ALLOCATOR_H

#include <stdlib.h>
#include <string.h>

#include "smidgen.h"

typedef struct failing_allocator {
    smidgen_allocator base; /* hand out &f->base after failing_allocator_bind */
    uint64_t fail_at;       /* number of the allocation that fails, from 0 */
    bool fails_later_too;   /* every later one fails as well */
    uint64_t calls;         /* allocations so far, the failed one included */
    int64_t live_blocks, live_bytes, peak_bytes;
    bool was_mismatched; /* a release named another size than its allocation */
} failing_allocator;

typedef struct failing_header {
    size_t size_bytes;
    char room[56];
} failing_header;

static void *failing_allocate(void *context, size_t size_bytes)
{
    failing_allocator *f = context;
    uint64_t number = f->calls++;
    if (number == f->fail_at || (f->fails_later_too && number > f->fail_at)) {
        return NULL;
    }
    void *block;
    if (size_bytes > SIZE_MAX / 2 || posix_memalign(&block, 64, sizeof(failing_header) + size_bytes) != 0) {
        return NULL;
    }
    ((failing_header *)block)->size_bytes = size_bytes;
    memset((char *)block + sizeof(failing_header), 0xA5, size_bytes); /* nobody may count on zeros */
    f->live_blocks++;
    f->live_bytes += (int64_t)size_bytes;
    f->peak_bytes = f->live_bytes > f->peak_bytes ? f->live_bytes : f->peak_bytes;
    return (char *)block + sizeof(failing_header);
}

static void failing_release(void *context, void *block, size_t size_bytes)
{
    failing_allocator *f = context;
    failing_header *header = (failing_header *)((char *)block - sizeof(failing_header));
    f->was_mismatched |= header->size_bytes != size_bytes;
    f->live_blocks--;
    f->live_bytes -= (int64_t)header->size_bytes;
    free(header);
}

static inline failing_allocator *failing_allocator_bind(failing_allocator *f, uint64_t fail_at)
{
    memset(f, 0, sizeof *f);
    f->base = (smidgen_allocator){failing_allocate, failing_release, f};
    f->fail_at = fail_at;
    return f;
}

#endif
