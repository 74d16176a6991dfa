/* Reader for safetensors: a little-endian length, a JSON header, then the tensors without gaps.
 * The header is checked as the format demands: at most 100 MB, begins with '{', names unique, offsets inside
 * the file and without overlaps or holes, sizes equal to shape times type. Tensor data stay in the source. */
#ifndef FORMATS_SAFETENSORS_H
#define FORMATS_SAFETENSORS_H

#include "formats/source.h"
#include "tensor/element.h"

typedef struct safetensors_tensor {
    const char *name; /* terminated */
    element_type type;
    int32_t rank;
    uint64_t shape[4]; /* outermost first; unused entries 1; may be 0 (an empty tensor) */
    uint64_t offset;   /* from the start of the source */
    uint64_t size_bytes;
} safetensors_tensor;

typedef struct safetensors_file {
    uint64_t tensor_count;
    const safetensors_tensor *tensors; /* [tensor_count] in the order of their data */
} safetensors_file;

/* In the arena; the JSON itself is given back before the call returns. Fails with BAD_FILE (naming the
 * tensor), UNSUPPORTED_TYPE, UNSUPPORTED_FORMAT (more than 4 dimensions) or OUT_OF_MEMORY. */
safetensors_file *safetensors_open(arena *a, const source *s, smidgen_error *error);

#endif
