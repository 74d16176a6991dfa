/* Text to ids and back. One tokenizer = one algorithm (byte-level BPE, SentencePiece BPE, Unigram, WordPiece,
 * CLIP BPE) + normaliser + pre-tokenizer + special tokens, built from GGUF metadata or from tokenizer.json;
 * immutable afterwards and usable from several threads. Encoding is linear in the text. */
#ifndef TOKENIZERS_TOKENIZER_H
#define TOKENIZERS_TOKENIZER_H

#include "base/json.h"
#include "formats/gguf.h"

typedef struct tokenizer tokenizer;

/* Reads tokenizer.ggml.*. An unknown model or pre-tokenizer is UNSUPPORTED_TOKENIZER and names it. */
tokenizer *tokenizer_from_gguf(const gguf_file *g, const smidgen_allocator *allocator, smidgen_error *error);
/* tokenizer.json's root; tokenizer_config (may be NULL) gives bos/eos/add_bos; config (config.json or NULL)
 * gives ids. */
tokenizer *tokenizer_from_json(const json_value *root, const json_value *tokenizer_config,
                               const json_value *config, const smidgen_allocator *allocator,
                               smidgen_error *error);
void tokenizer_close(tokenizer *t);

typedef struct tokenizer_info {
    int32_t vocab_size;
    int32_t bos, eos, pad, unknown; /* -1 where there is none */
    bool adds_bos, adds_eos;
    const char *algorithm; /* "byte-level BPE", ... */
    uint64_t memory_bytes;
} tokenizer_info;
void tokenizer_get_info(const tokenizer *t, tokenizer_info *info);

typedef enum tokenizer_flags {
    TOKENIZER_ADD_SPECIAL = 1,   /* BOS, EOS, [CLS] ... [SEP] as the model wants them (its post-processor) */
    TOKENIZER_PARSE_SPECIAL = 2, /* control tokens in the text become themselves */
} tokenizer_flags;

/* Same contract as smidgen_tokenize. */
int64_t tokenizer_encode(const tokenizer *t, const char *text, size_t size_bytes, int flags, int32_t *ids,
                         size_t capacity, smidgen_error *error);
/* Same contract as smidgen_detokenize: one-shot decoding with the tokenizer's own decoder rules
 * (SentencePiece's leading space, WordPiece's ##, CLIP's </w>). */
int64_t tokenizer_decode(const tokenizer *t, const int32_t *ids, size_t count, bool render_special,
                         char *text, size_t capacity, smidgen_error *error);

/* Bytes that the token adds to a text in the middle of a reply (may be part of a character); a control token
 * gives its text where render_special, else 0 bytes. Valid as long as the tokenizer. *size_bytes 0 for ids
 * out of range. */
const char *tokenizer_token_bytes(const tokenizer *t, int32_t id, bool render_special, size_t *size_bytes);
/* The token that is spelled exactly so (special tokens included), or -1. */
int32_t tokenizer_find(const tokenizer *t, const char *text, size_t size_bytes);
bool tokenizer_is_control(const tokenizer *t, int32_t id);
/* Ends a reply: EOS, EOT, EOM and what is spelled like them (<|im_end|>, <end_of_turn>, <|eot_id|>,
 * <|endoftext|>, ...). */
bool tokenizer_is_end(const tokenizer *t, int32_t id);

#endif
