/* Owns the list of spellings that end a reply. */
#include <string.h>

#include "tokenizers/internal.h"

/* Spelled so, a control token ends a reply even where the file does not say it. */
static const char *const ends[] = {
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<eos>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<turn|>",
    "<|tool_response>",
    "<|eot|>",
    "<|END_OF_TURN_TOKEN|>",
    "</s>",
    "<｜end▁of▁sentence｜>",
};

/* Some files list these as ordinary tokens; in a prompt they are meant as control tokens all the same. */
void special_mark_ends(tokenizer *t)
{
    vocabulary *v = &t->vocabulary;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int32_t id = vocabulary_find(v, ends[i], strlen(ends[i]));
        if (id >= 0 && (v->flags[id] & VOCABULARY_CONTROL) != 0) {
            v->flags[id] |= VOCABULARY_END;
        } else if (id >= 0 && (v->flags[id] & VOCABULARY_LITERAL) == 0) {
            v->flags[id] |= VOCABULARY_PARSED;
        }
    }
    if (t->eos >= 0) {
        v->flags[t->eos] |= VOCABULARY_END;
    }
}
