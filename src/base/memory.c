/* Owns what every allocator shares; the default one is in memory_posix.c and memory_wasm.c. Refuses nothing;
 * callers check for NULL. */
#include "base/memory.h"

#include <string.h>

void *memory_allocate(const smidgen_allocator *allocator, size_t size_bytes)
{
    return size_bytes == 0 ? NULL : allocator->allocate(allocator->context, size_bytes);
}

void *memory_allocate_zeroed(const smidgen_allocator *allocator, size_t size_bytes)
{
    void *block = memory_allocate(allocator, size_bytes);
    if (block != NULL) {
        memset(block, 0, size_bytes);
    }
    return block;
}

void memory_release(const smidgen_allocator *allocator, void *block, size_t size_bytes)
{
    if (block != NULL) {
        allocator->release(allocator->context, block, size_bytes);
    }
}

size_t memory_array_bytes(size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? SIZE_MAX : count * size;
}

static void *counter_allocate(void *context, size_t size_bytes)
{
    memory_counter *counter = context;
    void *block = counter->inner->allocate(counter->inner->context, size_bytes);
    if (block != NULL) {
        atomic_fetch_add_explicit(&counter->live_bytes, size_bytes, memory_order_relaxed);
    }
    return block;
}

static void counter_release(void *context, void *block, size_t size_bytes)
{
    memory_counter *counter = context;
    atomic_fetch_sub_explicit(&counter->live_bytes, size_bytes, memory_order_relaxed);
    counter->inner->release(counter->inner->context, block, size_bytes);
}

void memory_counter_init(memory_counter *counter, const smidgen_allocator *inner)
{
    counter->base = (smidgen_allocator){counter_allocate, counter_release, counter};
    counter->inner = inner;
    atomic_init(&counter->live_bytes, 0);
}
