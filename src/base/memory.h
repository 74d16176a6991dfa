/* Where every byte comes from. A module never calls malloc: it is handed a `const smidgen_allocator *` or an
 * arena. That keeps two models apart, makes memory reports exact, and lets the tests fail any single
 * allocation. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdatomic.h>

#include "smidgen.h"

/* The C library's aligned_alloc and free. */
extern const smidgen_allocator memory_system;

/* A block of size_bytes aligned to 64 bytes, contents undefined; NULL when there is no memory. size 0 gives
 * NULL. */
void *memory_allocate(const smidgen_allocator *allocator, size_t size_bytes);
/* The same, zeroed. */
void *memory_allocate_zeroed(const smidgen_allocator *allocator, size_t size_bytes);
/* size_bytes as it was asked for; block may be NULL. */
void memory_release(const smidgen_allocator *allocator, void *block, size_t size_bytes);
/* count * size, or SIZE_MAX when that wraps (an allocation of SIZE_MAX fails). */
size_t memory_array_bytes(size_t count, size_t size);

/* An allocator that knows how much is taken from it: the owner of a report hands out &counter->base. */
typedef struct memory_counter {
    smidgen_allocator base;
    const smidgen_allocator *inner;
    atomic_size_t live_bytes;
} memory_counter;

/* inner must outlive the counter, and the counter must not move. */
void memory_counter_init(memory_counter *counter, const smidgen_allocator *inner);

#endif
