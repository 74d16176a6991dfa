/* Operations on float32 activations: the scalar versions are the truth, the others are compiled from the same
 * text (ops/<name>.inc over simd/<isa>.h). Every call works on a range, so that the caller can spread it over
 * threads. */
#ifndef CPU_OPS_H
#define CPU_OPS_H

#include "base/memory.h"
#include "cpu/isa.h"

struct kv_cache;

typedef enum rope_style {
    ROPE_HALVES = 0, /* pairs (i, i + n/2): Hugging Face, "neox" */
    ROPE_PAIRS = 1,  /* pairs (2i, 2i + 1): Meta's order, llama GGUF files */
} rope_style;

typedef enum rope_scaling {
    ROPE_SCALING_NONE,
    ROPE_SCALING_LINEAR,
    ROPE_SCALING_LLAMA3,
    ROPE_SCALING_YARN
} rope_scaling;

typedef struct rope_options {
    rope_style style;
    int32_t head_size;   /* floats of a head */
    int32_t rotary_size; /* leading floats that are rotated, even, <= head_size */
    float theta;
    rope_scaling scaling;
    float factor;                                      /* linear, llama3, yarn */
    float low_frequency_factor, high_frequency_factor; /* llama3 */
    int32_t original_context;                          /* llama3, yarn */
    float beta_fast, beta_slow;                        /* yarn; 0: 32 and 1 */
    float attention_factor; /* yarn: multiplies cos and sin; 0: 0.1 ln(factor) + 1 */
    const float
        *frequency_factors; /* [rotary_size / 2] divides each frequency (GGUF rope_freqs.weight), or NULL */
} rope_options;

/* Frequencies of one kind of layer, computed in double precision as transformers' modeling_rope_utils.py
 * does. */
typedef struct rope_table {
    rope_style style;
    int32_t head_size, rotary_size;
    float attention_factor;
    double *inverse_frequency; /* [rotary_size / 2] */
} rope_table;

bool rope_create(rope_table *table, const rope_options *options, const smidgen_allocator *allocator,
                 smidgen_error *error);
void rope_close(rope_table *table, const smidgen_allocator *allocator);

/* The function table of one instruction set. Rows are `columns` floats apart unless a stride is named. */
typedef struct cpu_ops {
    cpu_isa isa;
    /* y[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * weight; y may be x. rows r in [begin, end). */
    void (*rms_norm)(const float *x, int64_t x_stride, const float *weight, float epsilon, float *y,
                     int64_t y_stride, int64_t columns, int64_t begin, int64_t end);
    /* y += x, over n floats. */
    void (*add)(float *y, const float *x, int64_t n);
    void (*scale)(float *y, float factor, int64_t n);
    /* gate = silu(gate) * up */
    void (*silu_multiply)(float *gate, const float *up, int64_t n);
    /* gate = gelu_tanh(gate) * up */
    void (*gelu_tanh_multiply)(float *gate, const float *up, int64_t n);
    /* y = limit * tanh(y / limit) */
    void (*soft_cap)(float *y, float limit, int64_t n);
    /* cos and sin of every position: out[r][0 .. half) = cos, out[r][half .. 2 half) = sin, half =
     * rotary_size / 2. */
    void (*rope_angles)(const rope_table *table, const int32_t *positions, float *out, int64_t begin,
                        int64_t end);
    /* Rotates x[r, head, :] in place by angles[r]; heads of head_size floats, row r at x + r * x_stride. */
    void (*rope_apply)(const rope_table *table, const float *angles, float *x, int64_t x_stride,
                       int32_t heads, int64_t begin, int64_t end);
    /* log(sum(exp(x))) in a stable way, and the index of the largest (the smallest index wins a tie). */
    float (*log_sum_exp)(const float *x, int64_t n);
    int64_t (*argmax)(const float *x, int64_t n);
} cpu_ops;

const cpu_ops *cpu_ops_for(cpu_isa isa);

/* One attention call: `tokens` query rows, each of some sequence; keys and values of these tokens are already
 * stored. */
typedef struct attention_call {
    const float *q; /* [tokens, heads, head_size], row stride q_stride */
    float *out;     /* [tokens, heads, head_size], row stride out_stride */
    int64_t q_stride, out_stride;
    const struct kv_cache *const *caches; /* [tokens] cache of each token's sequence */
    const int32_t *positions; /* [tokens] each token sees slots [max(0, p - window + 1), p] of its cache */
    int32_t tokens, layer, heads, heads_kv, head_size;
    int32_t window; /* 0: none */
    float scale;    /* multiplies q.k */
    float soft_cap; /* 0: none */
    cpu_isa isa;
} attention_call;

/* Fused attention without a tokens x positions buffer: online softmax over blocks of positions, query heads
 * that share a key head go together, one decode token is split over the length where there are too few heads
 * for the threads. The caller runs items [0, attention_items) in any split over threads, then, after a
 * barrier, merge items likewise. */
int64_t attention_items(const attention_call *call, int threads);
void attention_run(const attention_call *call, int threads, void *partials, int64_t item_begin,
                   int64_t item_end, void *scratch);
int64_t attention_merge_items(const attention_call *call, int threads); /* 0: nothing to merge */
void attention_merge(const attention_call *call, int threads, const void *partials, int64_t item_begin,
                     int64_t item_end);
/* Bytes of `partials` (shared) and of `scratch` (per thread) for up to max_tokens and any length. */
size_t attention_partials_bytes(int32_t max_tokens, int32_t heads, int32_t head_size, int threads);
size_t attention_scratch_bytes(int32_t heads, int32_t heads_kv, int32_t head_size);

#endif
