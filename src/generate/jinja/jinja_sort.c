/* Owns sorting: a bottom-up merge sort, stable, n log n comparisons whatever the input. */
#include "generate/jinja/jinja_runtime.h"

/* Merges from[first..middle) and from[middle..last) into to. */
static bool merge(jinja_runtime *rt, const jinja_value *keys, const uint32_t *from, uint32_t *to,
                  const size_t bounds[3], bool is_case_ignored, bool is_reversed)
{
    size_t i = bounds[0], j = bounds[1];
    for (size_t k = bounds[0]; k < bounds[2]; k++) {
        int order = 0;
        if (i < bounds[1] && j < bounds[2]) {
            if (!jinja_compare(rt, keys[from[i]], keys[from[j]], is_case_ignored, &order)) {
                return false;
            }
            order = is_reversed ? -order : order;
        } else {
            order = i < bounds[1] ? -1 : 1;
        }
        to[k] = order <= 0 ? from[i++] : from[j++];
    }
    return true;
}

bool jinja_sort_order(jinja_runtime *rt, const jinja_value *keys, uint32_t count, bool is_case_ignored,
                      bool is_reversed, uint32_t **order)
{
    uint32_t *from = jinja_allocate_array(rt, count, sizeof *from),
             *to = jinja_allocate_array(rt, count, sizeof *to);
    if (from == NULL || to == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        from[i] = i;
    }
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t first = 0; first < count; first += 2 * width) {
            size_t middle = first + width < count ? first + width : count;
            size_t last = first + 2 * width < count ? first + 2 * width : count;
            if (!merge(rt, keys, from, to, (size_t[3]){first, middle, last}, is_case_ignored, is_reversed)) {
                return false;
            }
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    *order = from;
    return true;
}
