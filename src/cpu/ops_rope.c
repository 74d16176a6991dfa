/* Owns the frequencies and angles of rotary position embedding: plain (Su 2021), linear, llama3 and YaRN
 * (Peng 2023) scaling, in double precision. Refuses sizes and factors for which no frequency exists. */
#include "base/error.h"
#include "cpu/ops_internal.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925286766559;

static bool is_positive(double x)
{
    return x > 0 && x < (double)INFINITY;
}

static bool options_are_valid(const rope_options *o, smidgen_error *error)
{
    if (o->rotary_size <= 0 || o->rotary_size % 2 != 0 || o->rotary_size > o->head_size) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "RoPE cannot rotate %d floats of a head of %d: an even number in it is needed",
                         (int)o->rotary_size, (int)o->head_size);
    }
    if (!is_positive(o->theta)) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT, "RoPE theta %g is not a positive number",
                         (double)o->theta);
    }
    if (o->scaling != ROPE_SCALING_NONE && !is_positive(o->factor)) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "RoPE scaling factor %g is not a positive number", (double)o->factor);
    }
    bool needs_context = o->scaling == ROPE_SCALING_LLAMA3 || o->scaling == ROPE_SCALING_YARN;
    if (needs_context && o->original_context <= 0) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "RoPE scaling needs an original context, got %d", (int)o->original_context);
    }
    if (o->scaling == ROPE_SCALING_LLAMA3 &&
        !(is_positive(o->low_frequency_factor) && o->high_frequency_factor > o->low_frequency_factor)) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "RoPE llama3 scaling needs 0 < low < high frequency factor, got %g and %g",
                         (double)o->low_frequency_factor, (double)o->high_frequency_factor);
    }
    if (o->scaling == ROPE_SCALING_YARN && !(o->theta > 1 && o->beta_fast >= 0 && o->beta_slow >= 0)) {
        return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                         "RoPE YaRN scaling needs theta > 1 and betas >= 0");
    }
    for (int32_t i = 0; o->frequency_factors != NULL && i < o->rotary_size / 2; i++) {
        if (!is_positive(o->frequency_factors[i])) {
            return error_set(error, SMIDGEN_ERROR_INVALID_ARGUMENT,
                             "RoPE frequency factor %d is %g, not a positive number", (int)i,
                             (double)o->frequency_factors[i]);
        }
    }
    return true;
}

/* Long wavelengths are stretched by `factor`, short ones stay, those between are blended. */
static double scale_llama3(const rope_options *o, double frequency)
{
    double context = o->original_context, low = o->low_frequency_factor, high = o->high_frequency_factor;
    double wavelength = two_pi / frequency;
    if (wavelength > context / low) {
        return frequency / o->factor;
    }
    if (wavelength < context / high) {
        return frequency;
    }
    double smooth = (context / wavelength - low) / (high - low);
    return (1 - smooth) * frequency / o->factor + smooth * frequency;
}

/* The dimension whose wave turns `rotations` times in the original context. */
static double yarn_dimension(const rope_options *o, double rotations)
{
    return o->rotary_size * log(o->original_context / (rotations * two_pi)) / (2 * log((double)o->theta));
}

static double scale_yarn(const rope_options *o, double frequency, int32_t i)
{
    double low = floor(yarn_dimension(o, o->beta_fast > 0 ? o->beta_fast : 32.0));
    double high = ceil(yarn_dimension(o, o->beta_slow > 0 ? o->beta_slow : 1.0));
    low = fmax(low, 0);
    high = fmin(high, o->rotary_size - 1);
    if (low == high) {
        high += 0.001;
    }
    double ramp = fmin(fmax((i - low) / (high - low), 0), 1); /* 0: as trained, 1: stretched */
    return frequency / o->factor * ramp + frequency * (1 - ramp);
}

static double yarn_attention_factor(const rope_options *o)
{
    if (o->attention_factor != 0) {
        return o->attention_factor;
    }
    return o->factor <= 1 ? 1.0 : 0.1 * log((double)o->factor) + 1.0;
}

bool rope_create(rope_table *table, const rope_options *options, const smidgen_allocator *allocator,
                 smidgen_error *error)
{
    *table = (rope_table){0};
    if (!options_are_valid(options, error)) {
        return false;
    }
    int32_t half = options->rotary_size / 2;
    size_t bytes = memory_array_bytes((size_t)half, sizeof(double));
    double *frequencies = memory_allocate(allocator, bytes);
    if (frequencies == NULL) {
        return error_set_memory(error, "the RoPE frequencies", bytes);
    }
    for (int32_t i = 0; i < half; i++) {
        double frequency = pow((double)options->theta, -2.0 * i / options->rotary_size);
        if (options->scaling == ROPE_SCALING_LINEAR) {
            frequency /= options->factor;
        } else if (options->scaling == ROPE_SCALING_LLAMA3) {
            frequency = scale_llama3(options, frequency);
        } else if (options->scaling == ROPE_SCALING_YARN) {
            frequency = scale_yarn(options, frequency, i);
        }
        frequencies[i] =
            options->frequency_factors == NULL ? frequency : frequency / options->frequency_factors[i];
    }
    *table = (rope_table){
        .style = options->style,
        .head_size = options->head_size,
        .rotary_size = options->rotary_size,
        .attention_factor =
            options->scaling == ROPE_SCALING_YARN ? (float)yarn_attention_factor(options) : 1.0f,
        .inverse_frequency = frequencies,
    };
    return true;
}

void rope_close(rope_table *table, const smidgen_allocator *allocator)
{
    memory_release(allocator, table->inverse_frequency, (size_t)(table->rotary_size / 2) * sizeof(double));
    *table = (rope_table){0};
}

void ops_rope_angles(const rope_table *table, const int32_t *positions, float *out, int64_t begin,
                     int64_t end)
{
    int32_t half = table->rotary_size / 2;
    for (int64_t r = begin; r < end; r++) {
        float *row = out + r * table->rotary_size;
        for (int32_t i = 0; i < half; i++) {
            double angle = positions[r] * table->inverse_frequency[i];
            row[i] = (float)(cos(angle) * table->attention_factor);
            row[half + i] = (float)(sin(angle) * table->attention_factor);
        }
    }
}
