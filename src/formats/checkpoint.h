/* One view on a model's files: a GGUF file, or a Hugging Face folder (config.json, tokenizer.json,
 * tokenizer_config.json, generation_config.json, model.safetensors or model.safetensors.index.json with its
 * shards). */
#ifndef FORMATS_CHECKPOINT_H
#define FORMATS_CHECKPOINT_H

#include "base/json.h"
#include "formats/gguf.h"

typedef struct checkpoint_tensor {
    const char *name;
    element_type type;
    int32_t rank;
    uint64_t shape[4]; /* outermost first; unused entries 1 */
    uint64_t offset, size_bytes;
    int32_t file; /* index of the file that holds it */
} checkpoint_tensor;

typedef struct checkpoint {
    arena arena;
    const gguf_file *gguf; /* NULL for a folder */
    /* JSON documents of a folder; NULL where the file is missing (config.json is required) and for a GGUF
     * file. */
    json_document *config, *tokenizer, *tokenizer_config, *generation_config;
    /* Terminated; from the GGUF metadata, chat_template.jinja or tokenizer_config.json; or NULL. */
    const char *chat_template;
    uint64_t tensor_count;
    const checkpoint_tensor *tensors; /* in file order */
    struct checkpoint_private *private;
} checkpoint;

/* Fails with NOT_FOUND (also for a folder without config.json or weights), IO, BAD_FILE, MISSING_TENSOR
 * (index and shards disagree), LIMIT, UNSUPPORTED_*, OUT_OF_MEMORY. */
checkpoint *checkpoint_open(const char *path, const smidgen_allocator *allocator, smidgen_error *error);
/* A GGUF file from a source that the checkpoint closes with itself (also on failure). owner (may be NULL):
 * the arena that holds the source; it moves into the checkpoint, and *owner is empty afterwards. */
checkpoint *checkpoint_open_source(source *s, arena *owner, const smidgen_allocator *allocator,
                                   smidgen_error *error);
void checkpoint_close(checkpoint *c);

const checkpoint_tensor *checkpoint_find(const checkpoint *c, const char *name); /* NULL when absent */
/* size bytes at `offset` inside the tensor. Thread-safe. */
bool checkpoint_read(const checkpoint *c, const checkpoint_tensor *t, uint64_t offset, void *into,
                     size_t size_bytes, smidgen_error *error);

#endif
