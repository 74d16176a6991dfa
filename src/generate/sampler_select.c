/* Owns selection: quickselect by count or by mass, top-k through a rising threshold, heap sort of the few
 * that are left. Pivots come from a generator with a fixed start, so that the result never depends on
 * anything but the input. */
#include "generate/sampler_select.h"

#include <math.h>
#include <string.h>

enum { SKIP_LANES = 16 };

static uint32_t ascending_bits(float x)
{
    uint32_t bits;
    x += 0.0f; /* -0 and +0 are equal logits */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

uint64_t candidate_order(float logit, int32_t id)
{
    return (uint64_t)~ascending_bits(logit) << 32 | (uint32_t)id;
}

uint64_t candidate_order_ascending(float distance, int32_t id)
{
    return (uint64_t)ascending_bits(distance) << 32 | (uint32_t)id;
}

int32_t candidate_id(const candidate *c)
{
    return (int32_t)(uint32_t)c->order;
}

float candidate_logit(const candidate *c)
{
    uint32_t bits = ~(uint32_t)(c->order >> 32);
    bits = bits >> 31 != 0 ? bits & 0x7FFFFFFFu : ~bits;
    float logit;
    memcpy(&logit, &bits, sizeof logit);
    return logit;
}

static void swap(candidate *a, candidate *b)
{
    candidate t = *a;
    *a = *b;
    *b = t;
}

/* Splits c[0..count), count >= 2, around a pivot: returns p with c[0..p) < c[p] < c[p+1..count). */
static size_t partition(candidate *c, size_t count, uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    swap(&c[0], &c[(size_t)((uint64_t)*random * count >> 32)]);
    uint64_t pivot = c[0].order;
    size_t low = 1, high = count - 1;
    for (;;) {
        while (low <= high && c[low].order < pivot) {
            low++;
        }
        while (c[high].order > pivot) {
            high--;
        }
        if (low >= high) {
            break;
        }
        swap(&c[low++], &c[high--]);
    }
    swap(&c[0], &c[high]);
    return high;
}

void candidates_select(candidate *c, size_t count, size_t keep)
{
    uint32_t random = 1;
    while (count >= 2 && keep > 0 && keep < count) {
        size_t p = partition(c, count, &random);
        if (keep <= p) {
            count = p;
        } else {
            c += p + 1;
            count -= p + 1;
            keep -= p + 1;
        }
    }
}

size_t candidates_select_mass(candidate *c, size_t count, double mass)
{
    uint32_t random = 1;
    size_t kept = 0;
    while (count >= 2) {
        size_t p = partition(c + kept, count, &random);
        double left = 0.0;
        for (size_t i = 0; i < p; i++) {
            left += c[kept + i].weight;
        }
        if (p > 0 && left >= mass) {
            count = p;
            continue;
        }
        mass -= left + c[kept + p].weight;
        kept += p + 1;
        count -= p + 1;
        if (mass <= 0.0) {
            return kept;
        }
    }
    return kept + count; /* rounding may leave a little mass over: everything is kept */
}

static int block_has_better(const float *x, float threshold)
{
    int better = 0;
    for (int j = 0; j < SKIP_LANES; j++) {
        better |= x[j] > threshold;
    }
    return better;
}

size_t candidates_top(const float *logits, size_t count, size_t keep, candidate *c, size_t capacity)
{
    size_t held = 0;
    float threshold = -INFINITY;
    for (size_t i = 0; i < count;) {
        size_t end = count - i < SKIP_LANES ? count : i + SKIP_LANES;
        if (end - i == SKIP_LANES && !block_has_better(logits + i, threshold)) {
            i = end;
            continue;
        }
        for (; i < end; i++) {
            if (!(logits[i] > threshold)) {
                continue;
            }
            if (held == capacity) {
                candidates_select(c, held, keep);
                held = keep;
                uint64_t worst = 0;
                size_t worst_at = 0;
                for (size_t j = 0; j < keep; j++) {
                    if (c[j].order >= worst) {
                        worst = c[j].order;
                        worst_at = j;
                    }
                }
                /* ids ascend: a later equal logit loses, so the comparison stays strict */
                threshold = candidate_logit(&c[worst_at]);
                if (!(logits[i] > threshold)) {
                    continue;
                }
            }
            c[held++].order = candidate_order(logits[i], (int32_t)i);
        }
    }
    if (held > keep) {
        candidates_select(c, held, keep);
        held = keep;
    }
    return held;
}

size_t candidates_above(const float *logits, size_t count, float floor, candidate *c)
{
    size_t held = 0;
    float below = floor > -INFINITY ? nextafterf(floor, -INFINITY) : -INFINITY;
    for (size_t i = 0; i < count;) {
        size_t end = count - i < SKIP_LANES ? count : i + SKIP_LANES;
        if (end - i == SKIP_LANES && !block_has_better(logits + i, below)) {
            i = end;
            continue;
        }
        for (; i < end; i++) {
            if (logits[i] > below) {
                c[held++].order = candidate_order(logits[i], (int32_t)i);
            }
        }
    }
    return held;
}

typedef uint64_t key_of(const candidate *c);

static uint64_t key_order(const candidate *c)
{
    return c->order;
}

static uint64_t key_id(const candidate *c)
{
    return (uint32_t)c->order;
}

static void sift_down(candidate *c, size_t at, size_t count, key_of *key)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && key(&c[child + 1]) > key(&c[child])) {
            child++;
        }
        if (key(&c[child]) <= key(&c[at])) {
            return;
        }
        swap(&c[at], &c[child]);
        at = child;
    }
}

static void heap_sort(candidate *c, size_t count, key_of *key)
{
    for (size_t i = count / 2; i-- > 0;) {
        sift_down(c, i, count, key);
    }
    for (size_t n = count; n > 1; n--) {
        swap(&c[0], &c[n - 1]);
        sift_down(c, 0, n - 1, key);
    }
}

void candidates_sort(candidate *c, size_t count)
{
    heap_sort(c, count, key_order);
}

void candidates_sort_by_id(candidate *c, size_t count)
{
    heap_sort(c, count, key_id);
}
