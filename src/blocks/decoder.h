/* The decoder-only transformer that the language model families share: pre-norm blocks of grouped-query
 * attention with rotary positions and a gated MLP. A family's file fills a decoder_config; this file builds
 * the graph. */
#ifndef BLOCKS_DECODER_H
#define BLOCKS_DECODER_H

#include "cpu/ops.h"
#include "graph/graph.h"

typedef enum decoder_names { DECODER_NAMES_GGUF, DECODER_NAMES_HUGGING_FACE } decoder_names;
typedef enum decoder_activation { DECODER_SILU, DECODER_GELU_TANH } decoder_activation;

enum { DECODER_LAYERS_MAX = 512, DECODER_ROPES_MAX = 2 };

typedef struct decoder_config {
    decoder_names names;
    int32_t layer_count, hidden_size, head_count, head_count_kv, head_size, mlp_size, vocab_size;
    int32_t context_tokens;
    float norm_epsilon;
    float embedding_scale;                    /* 1 where there is none */
    float attention_scale;                    /* multiplies q.k */
    float attention_soft_cap, final_soft_cap; /* 0: none */
    decoder_activation activation;
    bool norm_adds_one;                                 /* stored norm weights lack + 1 */
    bool has_query_bias, has_output_bias, has_mlp_bias; /* query: q, k and v */
    bool has_qk_norm;    /* RMS norm over each head of q and k before rope (Qwen3, Gemma 3) */
    bool has_post_norms; /* norms after attention and MLP, before the residual sum (Gemma) */
    bool is_tied;        /* the head is the embedding */
    rope_options ropes[DECODER_ROPES_MAX];
    int32_t rope_count;
    struct {
        int32_t window; /* 0: full attention */
        int32_t rope;
    } layers[DECODER_LAYERS_MAX];
} decoder_config;

typedef enum decoder_result {
    DECODER_LOGITS, /* [outputs, vocab_size] */
    DECODER_HIDDEN, /* [outputs, hidden_size], after the last norm */
} decoder_result;

/* The stored name of a weight, in either naming scheme; layer -1 for weights outside the blocks. false when
 * it does not fit. role: "attn_q", "ffn_down", "token_embd", ... (the GGUF word). suffix: "weight" or "bias".
 */
bool decoder_weight_name(const decoder_config *c, const char *role, int32_t layer, const char *suffix,
                         char *name, size_t capacity);

void decoder_build(const decoder_config *c, decoder_result result, graph *g);

#endif
