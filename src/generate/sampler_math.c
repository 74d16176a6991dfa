/* Owns the arithmetic of sampling over whole vocabularies. Everything here is in fixed lanes and a fixed
 * order: a compiler may use vectors of any width, the result has the same bits. */
#include "generate/sampler_math.h"

#include <math.h>

enum { LANES = 16, SUM_BLOCK = 4096 };

double sampler_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7FF) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u;
    double m; /* [1, 2), then [sqrt(1/2), sqrt(2)) */
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    /* log m = 2 atanh s, s = (m - 1) / (m + 1), |s| < 0.1716: s^2k / (2k + 1) up to k = 10 */
    double s = (m - 1.0) / (m + 1.0), s2 = s * s, p = 0.0;
    for (int k = 21; k >= 1; k -= 2) {
        p = p * s2 + 1.0 / k;
    }
    return exponent * 0.69314718055994531 + 2.0 * s * p;
}

float sampler_max(const float *x, size_t count)
{
    float lane[LANES];
    for (int j = 0; j < LANES; j++) {
        lane[j] = -INFINITY;
    }
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
        }
    }
    float best = -INFINITY;
    for (; i < count; i++) {
        best = x[i] > best ? x[i] : best;
    }
    for (int j = 0; j < LANES; j++) {
        best = lane[j] > best ? lane[j] : best;
    }
    return best;
}

double sampler_sum_exp(const float *x, size_t count, float max, float scale)
{
    double sum = 0.0;
    size_t i = 0;
    while (i + LANES <= count) {
        float lane[LANES] = {0};
        size_t end = count - i < SUM_BLOCK ? count - LANES + 1 : i + SUM_BLOCK;
        for (; i < end; i += LANES) {
            for (int j = 0; j < LANES; j++) {
                lane[j] += sampler_exp((x[i + j] - max) * scale);
            }
        }
        for (int j = 0; j < LANES; j++) {
            sum += lane[j];
        }
    }
    for (; i < count; i++) {
        sum += sampler_exp((x[i] - max) * scale);
    }
    return sum;
}
