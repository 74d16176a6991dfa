/* Owns the order of byte ranges. */
#include "formats/extent.h"

#include <stdbool.h>

static bool is_before(const extent *a, const extent *b)
{
    return a->begin != b->begin ? a->begin < b->begin : a->size_bytes < b->size_bytes;
}

static void swap(extent *a, extent *b)
{
    extent held = *a;
    *a = *b;
    *b = held;
}

static void sift_down(extent *e, uint64_t at, uint64_t count)
{
    while (2 * at + 1 < count) {
        uint64_t child = 2 * at + 1;
        if (child + 1 < count && is_before(&e[child], &e[child + 1])) {
            child++;
        }
        if (!is_before(&e[at], &e[child])) {
            return;
        }
        swap(&e[at], &e[child]);
        at = child;
    }
}

void extent_sort(extent *e, uint64_t count)
{
    uint64_t sorted = 1;
    while (sorted < count && !is_before(&e[sorted], &e[sorted - 1])) {
        sorted++;
    }
    if (sorted >= count) {
        return;
    }
    for (uint64_t at = count / 2; at-- > 0;) {
        sift_down(e, at, count);
    }
    for (uint64_t end = count; end-- > 1;) {
        swap(&e[0], &e[end]);
        sift_down(e, 0, end);
    }
}
