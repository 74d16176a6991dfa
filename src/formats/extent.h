/* Byte ranges of tensors, sorted to find overlaps and holes. */
#ifndef FORMATS_EXTENT_H
#define FORMATS_EXTENT_H

#include <stdint.h>

typedef struct extent {
    uint64_t begin, size_bytes;
    uint64_t index; /* of the tensor */
} extent;

/* By begin, then by size. No memory, no recursion, O(n log n) for any input and O(n) when already sorted. */
void extent_sort(extent *extents, uint64_t count);

#endif
