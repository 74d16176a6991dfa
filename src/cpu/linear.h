/* Matrix product of activations with stored weights: y[r, m] = sum_k x[r, k] * W[m, k].
 *
 * Weights of every stored type are packed once, without losing a bit, into a few panel layouts of
 * LINEAR_PANEL_ROWS rows (README.md draws them); the kernels compute from the packed codes. FAST quantises x
 * to int8 in blocks of 32 with one f32 scale each; a row of x whose blocks hold outliers gets a second int8
 * pass over the remainder, so that no position breaks. EXACT keeps the stored bytes and float32 activations.
 * Integer results are the same on every instruction set. */
#ifndef CPU_LINEAR_H
#define CPU_LINEAR_H

#include "base/memory.h"
#include "cpu/isa.h"
#include "tensor/element.h"

enum { LINEAR_PANEL_ROWS = 16 };

typedef struct linear_weights linear_weights; /* one packed matrix [rows, columns] */

/* Reserves the packed memory. Any type of the table that is not an integer; columns must fill whole blocks of
 * the type (WRONG_SHAPE otherwise); any number of rows. */
linear_weights *linear_create(element_type type, int64_t rows, int64_t columns, smidgen_precision precision,
                              cpu_isa isa, const smidgen_allocator *allocator, smidgen_error *error);
void linear_close(linear_weights *w);
/* Packs stored rows [row_begin, row_begin + row_count): row_begin is a multiple of LINEAR_PANEL_ROWS, and so
 * is row_count unless the range ends at the last row. stored: the rows' bytes as in the file. Disjoint ranges
 * may be packed from several threads. */
void linear_pack(linear_weights *w, const void *stored, int64_t row_begin, int64_t row_count);
uint64_t linear_bytes(const linear_weights *w);
int64_t linear_rows(const linear_weights *w);
int64_t linear_columns(const linear_weights *w);
element_type linear_type(const linear_weights *w);
/* out[columns] = row `row` in float32, exactly as quant_decode of the stored row (embedding look-up). */
void linear_decode_row(const linear_weights *w, int64_t row, float *out);

/* Activations prepared once and shared by every matrix that reads them (q, k, v; gate, up). */
typedef struct linear_input {
    const float *x; /* [rows, columns], row r at x + r * stride */
    int64_t rows, columns, stride;
    void *prepared; /* [linear_input_bytes] scratch, 64-byte aligned */
} linear_input;

/* Scratch bytes for up to `rows` rows. */
size_t linear_input_bytes(int64_t rows, int64_t columns);
/* Quantises rows [begin, end) (any split over threads); all rows must be prepared before linear_run. */
void linear_prepare(const linear_input *in, cpu_isa isa, int64_t begin, int64_t end);

/* Work items of one product: ranges of panels. Disjoint ranges write disjoint parts of y. */
int64_t linear_items(const linear_weights *w);
/* y: [in->rows, w->rows], row r at y + r * y_stride (floats); bias [w->rows] or NULL. scratch:
 * [linear_scratch_bytes] of this thread. */
void linear_run(const linear_weights *w, const linear_input *in, const float *bias, float *y,
                int64_t y_stride, int64_t item_begin, int64_t item_end, void *scratch);
size_t linear_scratch_bytes(const linear_weights *w);

#endif
