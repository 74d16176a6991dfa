/* Owns the default allocator in WebAssembly. */
#include <stdlib.h>

#include "base/memory.h"

static void *system_allocate(void *context, size_t size_bytes)
{
    (void)context;
    if (size_bytes > SIZE_MAX - 63) {
        return NULL;
    }
    return aligned_alloc(64, (size_bytes + 63) & ~(size_t)63);
}

static void system_release(void *context, void *block, size_t size_bytes)
{
    (void)context;
    (void)size_bytes;
    free(block);
}

const smidgen_allocator memory_system = {system_allocate, system_release, NULL};
