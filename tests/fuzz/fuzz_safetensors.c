/* Any bytes as a safetensors file. The length field is corrected, so that the JSON behind it is reached.
 *
 * seeds: formats/folder formats/sharded */
#include <stdlib.h>

#include "failing_allocator.h"
#include "formats/safetensors.h"

static void open_bytes(const uint8_t *data, size_t size)
{
    failing_allocator f;
    failing_allocator_bind(&f, UINT64_MAX);
    arena a;
    arena_init(&a, &f.base);
    smidgen_error error = {0};
    source *s = source_open_memory(&a, data, size, &error);
    const safetensors_file *file = safetensors_open(&a, s, &error);
    if (file == NULL && (error.code == SMIDGEN_ERROR_NONE || error.message[0] == 0)) {
        abort();
    }
    for (uint64_t i = 0; file != NULL && i < file->tensor_count; i++) {
        const safetensors_tensor *t = &file->tensors[i];
        if (t->offset > size || t->size_bytes > size - t->offset || (i > 0 && t->offset < t[-1].offset)) {
            abort();
        }
    }
    if ((uint64_t)f.peak_bytes > 64 * (uint64_t)size + (1 << 18)) {
        abort();
    }
    arena_close(&a);
    if (f.live_blocks != 0 || f.was_mismatched) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_bytes(data, size);
    if (size <= 8) {
        return 0;
    }
    uint8_t *copy = malloc(size);
    size_t end = size;
    memcpy(copy, data, size);
    while (end > 8 && data[end - 1] != '}') {
        end--;
    }
    for (size_t i = 0; i < 8; i++) {
        copy[i] = (uint8_t)((end - 8) >> (8 * i));
    }
    open_bytes(copy, size);
    free(copy);
    return 0;
}
