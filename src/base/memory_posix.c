/* Owns the default allocator on systems with virtual memory. Large blocks ask for huge pages: weights are
 * read end to end once a token, and small pages make address translation a part of that cost. */
#include <stdlib.h>
#include <sys/mman.h>

#include "base/memory.h"

enum { ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20 };

static void *system_allocate(void *context, size_t size_bytes)
{
    (void)context;
    size_t alignment = size_bytes >= 2 * (size_t)HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : ALIGNMENT;
    void *block = NULL;
    if (posix_memalign(&block, alignment, size_bytes) != 0) {
        return NULL;
    }
    if (alignment == HUGE_PAGE_BYTES) {
        madvise(block, size_bytes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE); /* only a wish */
    }
    return block;
}

static void system_release(void *context, void *block, size_t size_bytes)
{
    (void)context;
    (void)size_bytes;
    free(block);
}

const smidgen_allocator memory_system = {system_allocate, system_release, NULL};
