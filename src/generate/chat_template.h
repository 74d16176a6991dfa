/* Runs the Jinja chat template that a model carries: a small interpreter of the subset that published
 * templates use. */
#ifndef GENERATE_CHAT_TEMPLATE_H
#define GENERATE_CHAT_TEMPLATE_H

#include "base/arena.h"

typedef struct chat_template chat_template;

/* Parses with trim_blocks and lstrip_blocks on, as transformers does. Fails with TEMPLATE: line and
 * construct. */
chat_template *chat_template_create(const char *text, size_t size_bytes, const smidgen_allocator *allocator,
                                    smidgen_error *error);
void chat_template_close(chat_template *t);

typedef struct chat_template_input {
    const smidgen_message *messages; /* [count] */
    size_t count;
    bool add_generation_prompt;
    const char *bos_token, *eos_token; /* text; "" where there is none */
    /* Further variables as a JSON object (tools, documents, enable_thinking, date_string ...), or NULL. Where
     * it has "messages", that value is used instead of `messages` (content lists, tool calls). */
    const char *variables_json;
} chat_template_input;

/* Renders into the arena, terminated; *size_bytes without the terminator. Bounded: at most 4 million steps,
 * 64 MiB of values and output; past that LIMIT. raise_exception() in the template gives TEMPLATE with its
 * message. */
char *chat_template_render(const chat_template *t, const chat_template_input *input, arena *a,
                           size_t *size_bytes, smidgen_error *error);

#endif
