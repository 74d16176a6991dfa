/* Owns the packed matrices and their products (first version: stored bytes, float32 arithmetic, one row at a time). */
#include "cpu/linear.h"

#include "base/error.h"
#include "quant/quant.h"

#include <string.h>

struct linear_weights {
    smidgen_allocator allocator;
    int64_t rows, columns;
    uint64_t row_bytes;
    size_t stored_bytes;
    uint8_t *stored;
    element_type type;
};

linear_weights *linear_create(element_type type, int64_t rows, int64_t columns, smidgen_precision precision, cpu_isa isa,
                              const smidgen_allocator *allocator, smidgen_error *error)
{
    (void)precision;
    (void)isa;
    uint64_t row_bytes;
    if (quant_find(type) == NULL && !element_is_float(type)) {
        error_set(error, SMIDGEN_ERROR_UNSUPPORTED_TYPE, "%s is no type of weights", element_name((uint32_t)type));
        return NULL;
    }
    if (rows <= 0 || columns <= 0 || !element_bytes(type, (uint64_t)columns, &row_bytes)) {
        error_set(error, SMIDGEN_ERROR_WRONG_SHAPE, "%lld columns do not fill whole blocks of %s", (long long)columns,
                  element_name((uint32_t)type));
        return NULL;
    }
    size_t bytes = row_bytes > SIZE_MAX ? SIZE_MAX : memory_array_bytes((size_t)rows, (size_t)row_bytes);
    linear_weights *w = memory_allocate_zeroed(allocator, sizeof *w);
    uint8_t *stored = w == NULL || bytes == SIZE_MAX ? NULL : memory_allocate(allocator, bytes);
    if (stored == NULL) {
        memory_release(allocator, w, sizeof *w);
        error_set_memory(error, "a matrix", bytes);
        return NULL;
    }
    *w = (linear_weights){*allocator, rows, columns, row_bytes, bytes, stored, type};
    return w;
}

void linear_close(linear_weights *w)
{
    if (w != NULL) {
        smidgen_allocator allocator = w->allocator;
        memory_release(&allocator, w->stored, w->stored_bytes);
        memory_release(&allocator, w, sizeof *w);
    }
}

void linear_pack(linear_weights *w, const void *stored, int64_t row_begin, int64_t row_count)
{
    memcpy(w->stored + (size_t)row_begin * w->row_bytes, stored, (size_t)row_count * w->row_bytes);
}

uint64_t linear_bytes(const linear_weights *w)
{
    return sizeof *w + w->stored_bytes;
}

int64_t linear_rows(const linear_weights *w)
{
    return w->rows;
}

int64_t linear_columns(const linear_weights *w)
{
    return w->columns;
}

element_type linear_type(const linear_weights *w)
{
    return w->type;
}

void linear_decode_row(const linear_weights *w, int64_t row, float *out)
{
    quant_decode(w->type, w->stored + (size_t)row * w->row_bytes, out, (uint64_t)w->columns);
}

size_t linear_input_bytes(int64_t rows, int64_t columns)
{
    (void)rows;
    (void)columns;
    return 64;
}

void linear_prepare(const linear_input *in, cpu_isa isa, int64_t begin, int64_t end)
{
    (void)in;
    (void)isa;
    (void)begin;
    (void)end;
}

int64_t linear_items(const linear_weights *w)
{
    return (w->rows + LINEAR_PANEL_ROWS - 1) / LINEAR_PANEL_ROWS;
}

size_t linear_scratch_bytes(const linear_weights *w)
{
    return (size_t)w->columns * sizeof(float);
}

void linear_run(const linear_weights *w, const linear_input *in, const float *bias, float *y, int64_t y_stride,
                int64_t item_begin, int64_t item_end, void *scratch)
{
    int64_t end = item_end * LINEAR_PANEL_ROWS < w->rows ? item_end * LINEAR_PANEL_ROWS : w->rows;
    float *row = scratch; /* [columns] */
    for (int64_t m = item_begin * LINEAR_PANEL_ROWS; m < end; m++) {
        linear_decode_row(w, m, row);
        for (int64_t r = 0; r < in->rows; r++) {
            const float *x = in->x + r * in->stride;
            float lanes[8] = {0};
            int64_t k = 0;
            for (; k + 8 <= w->columns; k += 8) {
                for (int64_t lane = 0; lane < 8; lane++) {
                    lanes[lane] += x[k + lane] * row[k + lane];
                }
            }
            for (; k < w->columns; k++) {
                lanes[k & 7] += x[k] * row[k];
            }
            float sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
            y[r * y_stride + m] = sum + (bias == NULL ? 0 : bias[m]);
        }
    }
}
