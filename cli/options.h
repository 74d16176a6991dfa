/* The command line: one table of commands and options (table.c) that drives parsing, --help, the completion
 * scripts and the tables of docs/cli.md. To add an option, add a field to `options` and a row to
 * option_table. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "smidgen.h"

typedef enum command_id {
    COMMAND_RUN,
    COMMAND_CHAT,
    COMMAND_TOKENIZE,
    COMMAND_INSPECT,
    COMMAND_PERPLEXITY,
    COMMAND_BENCH,
    COMMAND_FETCH,
    COMMAND_PROBE,
    COMMAND_COMPLETION,
    COMMAND_HELP,
    COMMAND_VERSION,
    COMMAND_COUNT,
} command_id;

typedef struct text_list {
    const char **items; /* [count] */
    size_t count;
} text_list;

/* Choices are kept as their index in the row's list. */
typedef struct options {
    command_id command;
    const char *arguments[4];
    int32_t argument_count;

    bool help, json, quiet;
    int32_t color; /* auto, always, never */
    const char *catalogue;

    int32_t threads, context, kv_type;
    bool exact;

    int32_t max_tokens, top_k, penalty_last, logprobs;
    double temperature, top_p, min_p, typical, repetition_penalty, presence_penalty, frequency_penalty;
    const char *seed, *grammar, *json_schema;
    text_list stop, logit_bias;

    const char *system, *template_file, *prompt_ids;
    bool raw, ids, slide;

    bool decode, no_special, parse_special;
    bool all, metadata_only, tensors_only;

    int32_t windows;
    const char *save_logits, *kl_against;

    int32_t prefill, generate, depth, repeat;
    bool no_hash, load_only;

    const char *sha256, *output;
    bool list, verify, force;
    int32_t retries, timeout, retry_wait;

    bool markdown;
} options;

typedef enum option_kind {
    OPTION_FLAG,
    OPTION_INTEGER,
    OPTION_NUMBER,
    OPTION_TEXT,
    OPTION_FILE,
    OPTION_CHOICE,
    OPTION_LIST,
} option_kind;

typedef struct option_row {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    option_kind kind;
    size_t offset;        /* of the field in `options` */
    uint32_t commands;    /* bit 1 << command_id for each that has it */
    const char *value;    /* what stands for the value in help: "N", "FILE"; NULL for flags */
    const char *fallback; /* default as it would be typed; NULL: none */
    double low, high;     /* of numbers, inclusive */
    const char *choices;  /* "f16 q8_0 f32" */
    const char *help;     /* one sentence without a full stop */
} option_row;

typedef enum argument_kind {
    ARGUMENT_TEXT,
    ARGUMENT_MODEL,
    ARGUMENT_FILE,
    ARGUMENT_COMMAND,
    ARGUMENT_SHELL
} argument_kind;

typedef struct argument_row {
    const char *name; /* NULL ends the list */
    argument_kind kind;
    bool required;
    const char *help;
} argument_row;

typedef struct command_row {
    const char *name;
    const char *summary;     /* one line */
    const char *description; /* paragraph for --help */
    argument_row arguments[4];
    const char *examples; /* lines */
    int (*run)(const options *o);
} command_row;

extern const command_row command_table[COMMAND_COUNT];
extern const option_row option_table[];
extern const size_t option_count;

/* -1 where there is no such command. */
int command_find(const char *name);
bool option_applies(const option_row *row, command_id command);

/* Fills *o from the words after the program's name. On failure writes what is wrong and a hint to stderr and
 * returns false (the caller exits with INVALID_ARGUMENT). Release the lists with options_release. */
bool options_parse(options *o, int word_count, char *const *words);
void options_release(options *o);

/* Help of the program, or of one command. */
void help_program(void);
void help_command(command_id command);
/* The tables of docs/cli.md. */
void help_markdown(void);
/* "bash", "zsh" or "fish". */
bool completion_write(const char *shell);

#endif
