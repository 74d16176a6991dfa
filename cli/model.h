/* What the commands that compute share: opening a model, sampling options, tokens, and the loop that makes a
 * reply. */
#ifndef CLI_MODEL_H
#define CLI_MODEL_H

#include "options.h"
#include "text.h"

typedef struct loaded_model {
    smidgen_model *model;
    smidgen_model_info info;
    char *path;
    double load_seconds;
} loaded_model;

/* Opens the model that o->arguments[0] names, with a progress bar. Close with model_unload, also after a
 * failure. */
bool model_load(loaded_model *m, const options *o, smidgen_error *error);
void model_unload(loaded_model *m);

smidgen_session *session_create(const options *o, smidgen_model *model, int32_t context_tokens,
                                smidgen_error *error);

/* What a smidgen_sampling points to. */
typedef struct sampling_choice {
    smidgen_sampling sampling;
    smidgen_logit_bias *biases;
    text grammar, schema;
} sampling_choice;

/* From the options; reads the files that they name. Free with sampling_free, also after a failure. */
bool sampling_make(sampling_choice *s, const options *o, smidgen_error *error);
void sampling_free(sampling_choice *s);

typedef struct id_list {
    int32_t *ids; /* [count] */
    size_t count;
} id_list;

bool ids_of_text(id_list *list, const smidgen_model *model, const char *bytes, size_t size, bool add_special,
                 bool parse_special, smidgen_error *error);
/* "1 2 3", commas and brackets are allowed; every id below vocab_size. */
bool ids_of_numbers(id_list *list, const char *numbers, int32_t vocab_size, smidgen_error *error);
/* Chat messages through the template, as tokens; BOS goes in front where the model wants it and the template
 * has none. */
bool ids_of_chat(id_list *list, const loaded_model *m, const char *template_text,
                 const smidgen_message *messages, size_t count, smidgen_error *error);
bool text_of_ids(text *t, const smidgen_model *model, const int32_t *ids, size_t count, bool render_special,
                 smidgen_error *error);
void ids_free(id_list *list);

/* One token of a reply with its alternatives. */
typedef struct token_record {
    smidgen_logprob chosen;
    smidgen_logprob *others; /* [other_count], best first, the chosen one may be among them */
    int32_t other_count;
} token_record;

typedef struct reply {
    smidgen_session *session;
    int32_t max_tokens; /* 0: no limit */
    int32_t logprobs;
    bool stream; /* print the text while it is made */

    text text;
    id_list ids;
    token_record *records; /* [ids.count] where logprobs > 0 */
    smidgen_finish finish;
    bool limited, interrupted, output_closed; /* why it ended before the model said so */
    smidgen_usage usage;
} reply;

/* Runs the session until the reply ends, max_tokens is reached, Ctrl-C is pressed or the output goes away.
 * The reader of the session's queue has been given its prompt before. Free with reply_free, also after a
 * failure. */
bool reply_make(reply *r, smidgen_error *error);
void reply_free(reply *r);
/* "stop", "length", "max_tokens", "interrupted". */
const char *reply_reason(const reply *r);

double per_second(int32_t tokens, double seconds);

#endif
