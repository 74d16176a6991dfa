/* Owns the shape of the decoder's graph and the names of its weights. */
#include "blocks/decoder.h"

#include <stdio.h>
#include <string.h>

typedef struct weight_name {
    const char *role;         /* GGUF: blk.N.<role>.weight or <role>.weight */
    const char *hugging_face; /* model.layers.N.<this>.weight or <this>.weight */
    bool is_in_block;
} weight_name;

static const weight_name weight_names[] = {
    {"token_embd", "model.embed_tokens", false},
    {"output_norm", "model.norm", false},
    {"output", "lm_head", false},
    {"attn_norm", "input_layernorm", true},
    {"attn_q", "self_attn.q_proj", true},
    {"attn_k", "self_attn.k_proj", true},
    {"attn_v", "self_attn.v_proj", true},
    {"attn_output", "self_attn.o_proj", true},
    {"attn_q_norm", "self_attn.q_norm", true},
    {"attn_k_norm", "self_attn.k_norm", true},
    {"ffn_gate", "mlp.gate_proj", true},
    {"ffn_up", "mlp.up_proj", true},
    {"ffn_down", "mlp.down_proj", true},
    {"ffn_norm", "post_attention_layernorm", true},
    /* Gemma: two more norms, and the name post_attention_layernorm means another place. */
    {"post_attention_norm", "post_attention_layernorm", true},
    {"pre_ffn_norm", "pre_feedforward_layernorm", true},
    {"post_ffw_norm", "post_feedforward_layernorm", true},
};

bool decoder_weight_name(const decoder_config *c, const char *role, int32_t layer, const char *suffix,
                         char *name, size_t capacity)
{
    if (c->has_post_norms && strcmp(role, "ffn_norm") == 0 && c->names == DECODER_NAMES_HUGGING_FACE) {
        role = "pre_ffn_norm";
    }
    for (size_t i = 0; i < sizeof weight_names / sizeof weight_names[0]; i++) {
        const weight_name *w = &weight_names[i];
        if (strcmp(w->role, role) != 0) {
            continue;
        }
        int length;
        if (c->names == DECODER_NAMES_GGUF) {
            length = w->is_in_block ? snprintf(name, capacity, "blk.%d.%s.%s", (int)layer, role, suffix)
                                    : snprintf(name, capacity, "%s.%s", role, suffix);
        } else {
            length = w->is_in_block ? snprintf(name, capacity, "model.layers.%d.%s.%s", (int)layer,
                                               w->hugging_face, suffix)
                                    : snprintf(name, capacity, "%s.%s", w->hugging_face, suffix);
        }
        return length > 0 && (size_t)length < capacity;
    }
    return false;
}

typedef struct builder {
    const decoder_config *c;
    graph *g;
    int32_t layer;
    graph_value angles[DECODER_ROPES_MAX];
} builder;

static graph_weight matrix(builder *b, const char *role, int64_t rows, int64_t columns)
{
    char name[128];
    if (!decoder_weight_name(b->c, role, b->layer, "weight", name, sizeof name)) {
        b->g->out_of_memory = true;
        return GRAPH_NONE;
    }
    return graph_matrix(b->g, name, rows, columns);
}

static graph_weight vector(builder *b, const char *role, const char *suffix, int64_t columns, bool add_one)
{
    char name[128];
    if (!decoder_weight_name(b->c, role, b->layer, suffix, name, sizeof name)) {
        b->g->out_of_memory = true;
        return GRAPH_NONE;
    }
    return graph_vector(b->g, name, columns, add_one);
}

static graph_value norm(builder *b, graph_value x, const char *role, int32_t size)
{
    graph_weight w = vector(b, role, "weight", size, b->c->norm_adds_one);
    return graph_rms_norm(b->g, x, w, b->c->norm_epsilon, size);
}

static graph_value linear(builder *b, graph_value x, const char *role, int64_t rows, int64_t columns,
                          bool has_bias)
{
    graph_weight w = matrix(b, role, rows, columns);
    graph_weight bias = has_bias ? vector(b, role, "bias", rows, false) : GRAPH_NONE;
    return graph_linear(b->g, x, w, bias);
}

static graph_value attention(builder *b, graph_value h)
{
    const decoder_config *c = b->c;
    int64_t q_size = (int64_t)c->head_count * c->head_size,
            kv_size = (int64_t)c->head_count_kv * c->head_size;
    int32_t rope = c->layers[b->layer].rope;
    graph_value x = norm(b, h, "attn_norm", c->hidden_size);
    graph_value q = linear(b, x, "attn_q", q_size, c->hidden_size, c->has_query_bias);
    graph_value k = linear(b, x, "attn_k", kv_size, c->hidden_size, c->has_query_bias);
    graph_value v = linear(b, x, "attn_v", kv_size, c->hidden_size, c->has_query_bias);
    if (c->has_qk_norm) {
        q = norm(b, q, "attn_q_norm", c->head_size);
        k = norm(b, k, "attn_k_norm", c->head_size);
    }
    q = graph_rope(b->g, q, b->angles[rope], rope, c->head_count);
    k = graph_rope(b->g, k, b->angles[rope], rope, c->head_count_kv);
    graph_attention_options options = {.layer = b->layer,
                                       .heads = c->head_count,
                                       .heads_kv = c->head_count_kv,
                                       .head_size = c->head_size,
                                       .window = c->layers[b->layer].window,
                                       .scale = c->attention_scale,
                                       .soft_cap = c->attention_soft_cap};
    graph_value a = graph_attention(b->g, q, k, v, &options);
    a = linear(b, a, "attn_output", c->hidden_size, q_size, c->has_output_bias);
    return c->has_post_norms ? norm(b, a, "post_attention_norm", c->hidden_size) : a;
}

static graph_value mlp(builder *b, graph_value h)
{
    const decoder_config *c = b->c;
    graph_value x = norm(b, h, "ffn_norm", c->hidden_size);
    graph_value gate = linear(b, x, "ffn_gate", c->mlp_size, c->hidden_size, c->has_mlp_bias);
    graph_value up = linear(b, x, "ffn_up", c->mlp_size, c->hidden_size, c->has_mlp_bias);
    graph_value a = c->activation == DECODER_SILU ? graph_silu_multiply(b->g, gate, up)
                                                  : graph_gelu_tanh_multiply(b->g, gate, up);
    a = linear(b, a, "ffn_down", c->hidden_size, c->mlp_size, c->has_mlp_bias);
    return c->has_post_norms ? norm(b, a, "post_ffw_norm", c->hidden_size) : a;
}

void decoder_build(const decoder_config *c, decoder_result result, graph *g)
{
    builder b = {.c = c, .g = g, .layer = -1};
    char label[64];
    graph_weight embedding = matrix(&b, "token_embd", c->vocab_size, c->hidden_size);
    graph_value h = graph_embed(g, embedding, c->embedding_scale);
    graph_label(g, "model.embed_tokens");
    for (int32_t i = 0; i < c->rope_count; i++) {
        b.angles[i] = graph_rope_angles(g, i, c->ropes[i].rotary_size);
    }
    for (b.layer = 0; b.layer < c->layer_count; b.layer++) {
        h = graph_add(g, h, attention(&b, h));
        h = graph_add(g, h, mlp(&b, h));
        snprintf(label, sizeof label, "model.layers.%d", (int)b.layer);
        graph_label(g, label);
    }
    b.layer = -1;
    h = graph_select(g, h);
    h = norm(&b, h, "output_norm", c->hidden_size);
    graph_label(g, "model.norm");
    if (result == DECODER_LOGITS) {
        graph_weight head = c->is_tied ? embedding : matrix(&b, "output", c->vocab_size, c->hidden_size);
        h = graph_linear(g, h, head, GRAPH_NONE);
        if (c->final_soft_cap != 0) {
            h = graph_soft_cap(g, h, c->final_soft_cap);
        }
        graph_label(g, "logits");
    }
    g->result = h;
}
