/* Private to cpu/linear_*neon.c: what the quantised and the float kernels share. */
#ifndef CPU_LINEAR_NEON_H
#define CPU_LINEAR_NEON_H

#include "cpu/linear_layout.h"

#include <arm_neon.h>
#include <string.h>

#define LINEAR_INLINE static inline __attribute__((always_inline))

void linear_few_neon(const linear_panel *panel, const linear_block *const *rows, int count, float *acc);
void linear_many_neon(const linear_panel *panel, const linear_block *const *rows, int count, float *acc,
                      void *scratch);

LINEAR_INLINE float32x4_t linear_halves_neon(const uint16_t *stored)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(stored)));
}

LINEAR_INLINE float32x4_t linear_scales_neon(const linear_panel *panel, const uint16_t *stored)
{
    if (panel->scale_bf16) {
        return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(stored), 16));
    }
    return vmulq_n_f32(linear_halves_neon(stored), panel->unit);
}

#endif
