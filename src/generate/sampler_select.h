/* Choosing the survivors of truncation without sorting the vocabulary. Internal to the sampler. */
#ifndef GENERATE_SAMPLER_SELECT_H
#define GENERATE_SAMPLER_SELECT_H

#include <stddef.h>
#include <stdint.h>

typedef struct candidate {
    uint64_t
        order; /* smaller is better: a rank made of a float, then the id, so that all orders are distinct */
    float scaled; /* (logit - max) / temperature, <= 0 */
    float weight; /* e^scaled */
} candidate;

/* Order of a logit: descending, ties by smaller id. */
uint64_t candidate_order(float logit, int32_t id);
/* Order of a distance: ascending, ties by smaller id. */
uint64_t candidate_order_ascending(float distance, int32_t id);
int32_t candidate_id(const candidate *c);
/* The logit that candidate_order was given (-0 reads as +0). */
float candidate_logit(const candidate *c);

/* Reorders c[0..count) so that the first `keep` have the smallest orders (in no particular order). Expected
 * linear. */
void candidates_select(candidate *c, size_t count, size_t keep);
/* Reorders so that c[0..m) is the shortest prefix, by order, whose weights sum to at least `mass`; returns m,
 * at least 1 (count > 0). Expected linear. */
size_t candidates_select_mass(candidate *c, size_t count, double mass);
/* The `keep` best of logits[0..count) into c, which has room for `capacity` >= 2 * keep (or >= count)
 * candidates; only `order` is set. -INFINITY and NaN are left out. Returns how many there are, in no
 * particular order. */
size_t candidates_top(const float *logits, size_t count, size_t keep, candidate *c, size_t capacity);
/* Every logit >= floor (not -INFINITY) into c [count], by id; only `order` is set. */
size_t candidates_above(const float *logits, size_t count, float floor, candidate *c);
/* Sorts by order. */
void candidates_sort(candidate *c, size_t count);
/* Sorts by id. */
void candidates_sort_by_id(candidate *c, size_t count);

#endif
