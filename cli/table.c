/* Owns the table of commands and options. Everything that names an option reads it from here. */
#include "commands.h"
#include "options.h"

#define BIT(name)   (1u << COMMAND_##name)
#define EVERY       0xFFFFu
#define MODEL_USERS (BIT(RUN) | BIT(CHAT) | BIT(TOKENIZE) | BIT(PERPLEXITY) | BIT(BENCH))
#define COMPUTING   (BIT(RUN) | BIT(CHAT) | BIT(PERPLEXITY) | BIT(BENCH))
#define REPLYING    (BIT(RUN) | BIT(CHAT))

#define FLAG(name, letter, field, commands, help)                                                            \
    {name, letter, OPTION_FLAG, offsetof(options, field), commands, NULL, NULL, 0, 0, NULL, help}
#define INTEGER(name, letter, field, commands, value, fallback, low, high, help)                             \
    {name, letter, OPTION_INTEGER, offsetof(options, field), commands, value, fallback, low, high, NULL, help}
#define NUMBER(name, field, commands, value, fallback, low, high, help)                                      \
    {name, 0, OPTION_NUMBER, offsetof(options, field), commands, value, fallback, low, high, NULL, help}
#define TEXT(name, letter, field, commands, value, help)                                                     \
    {name, letter, OPTION_TEXT, offsetof(options, field), commands, value, NULL, 0, 0, NULL, help}
#define PATH(name, letter, field, commands, value, help)                                                     \
    {name, letter, OPTION_FILE, offsetof(options, field), commands, value, NULL, 0, 0, NULL, help}
#define CHOICE(name, field, commands, fallback, choices, help)                                               \
    {name, 0, OPTION_CHOICE, offsetof(options, field), commands, "KIND", fallback, 0, 0, choices, help}
#define LIST(name, field, commands, value, help)                                                             \
    {name, 0, OPTION_LIST, offsetof(options, field), commands, value, NULL, 0, 0, NULL, help}

const option_row option_table[] = {
    INTEGER("max-tokens", 'n', max_tokens, BIT(RUN), "N", "512", 0, 1000000,
            "End the reply after N tokens; 0: when the context is full"),
    INTEGER("max-tokens", 'n', max_tokens, BIT(CHAT), "N", "0", 0, 1000000,
            "End each reply after N tokens; 0: when the context is full"),
    TEXT("system", 's', system, REPLYING, "TEXT", "System message of the conversation"),
    FLAG("raw", 'r', raw, BIT(RUN),
         "Complete the prompt as it is: no chat template, special tokens are parsed"),
    PATH("template", 0, template_file, REPLYING, "FILE",
         "Chat template (Jinja) to use instead of the model's own"),
    TEXT("prompt-ids", 0, prompt_ids, BIT(RUN), "IDS",
         "Prompt as token ids (\"1 2 3\"); no PROMPT is read then"),
    FLAG("ids", 0, ids, BIT(RUN) | BIT(TOKENIZE), "Print token ids, one blank between two"),

    NUMBER("temperature", temperature, BIT(RUN), "X", "0", 0, 100,
           "Randomness; 0: always the likeliest token"),
    NUMBER("temperature", temperature, BIT(CHAT), "X", "0.7", 0, 100,
           "Randomness; 0: always the likeliest token"),
    INTEGER("top-k", 0, top_k, REPLYING, "N", "0", 0, 1000000, "Choose among the N likeliest tokens; 0: all"),
    NUMBER("top-p", top_p, REPLYING, "P", "1", 0, 1,
           "Choose among the likeliest tokens of total probability P; 1: all"),
    NUMBER("min-p", min_p, BIT(RUN), "P", "0", 0, 1,
           "Drop tokens less than P times as likely as the best; 0: none"),
    NUMBER("min-p", min_p, BIT(CHAT), "P", "0.05", 0, 1,
           "Drop tokens less than P times as likely as the best; 0: none"),
    NUMBER("typical", typical, REPLYING, "P", "1", 0, 1,
           "Locally typical sampling of total probability P; 1: off"),
    NUMBER("repetition-penalty", repetition_penalty, REPLYING, "X", "1", 0.01, 100,
           "Divide the score of recent tokens by X; 1: off"),
    NUMBER("presence-penalty", presence_penalty, REPLYING, "X", "0", -100, 100,
           "Subtract X from the score of every recent token"),
    NUMBER("frequency-penalty", frequency_penalty, REPLYING, "X", "0", -100, 100,
           "Subtract X from the score of a recent token for each time it occurred"),
    INTEGER("penalty-last", 0, penalty_last, REPLYING, "N", "64", -1, 1000000,
            "How many tokens count as recent; -1: the whole context"),
    TEXT("seed", 0, seed, REPLYING, "N",
         "Same seed, same text; without it every run differs (where randomness is on)"),
    LIST("stop", stop, REPLYING, "TEXT", "End the reply before TEXT; may be given several times"),
    LIST("logit-bias", logit_bias, REPLYING, "ID=X",
         "Add X to the score of token ID (-inf bans it); repeatable"),
    PATH("grammar", 0, grammar, REPLYING, "FILE", "Replies follow this GBNF grammar"),
    PATH("json-schema", 0, json_schema, REPLYING, "SCHEMA",
         "Replies are JSON of this schema: a file, or the text itself"),
    INTEGER("logprobs", 0, logprobs, BIT(RUN), "N", "0", 0, 100,
            "List each token with its log probability and N alternatives"),

    INTEGER("context", 'c', context, REPLYING, "N", "0", 0, 10000000,
            "Tokens that the conversation may hold; 0: the model's own, at most 4096"),
    INTEGER("context", 'c', context, BIT(PERPLEXITY), "N", "512", 2, 10000000, "Tokens in a window"),
    INTEGER("context", 'c', context, BIT(BENCH), "N", "0", 0, 10000000,
            "Tokens that the session can hold; 0: as many as the measurement needs"),
    FLAG("slide", 0, slide, REPLYING, "When the context is full, drop the oldest half and go on"),
    CHOICE("kv-type", kv_type, COMPUTING, "f16", "f16 q8_0 f32",
           "How keys and values are stored: f16, q8_0, f32"),
    FLAG("exact", 0, exact, MODEL_USERS, "Compute with float32 activations: exact, slow"),
    INTEGER("threads", 't', threads, MODEL_USERS, "N", "0", 0, 1024,
            "Threads; 0: one for each physical core"),

    FLAG("decode", 'd', decode, BIT(TOKENIZE), "TEXT is token ids: print the text that they stand for"),
    FLAG("no-special", 0, no_special, BIT(TOKENIZE),
         "Do not add the tokens that the model wants around a text"),
    FLAG("parse-special", 0, parse_special, BIT(TOKENIZE),
         "Text such as <|im_end|> becomes its control token"),

    FLAG("all", 'a', all, BIT(INSPECT), "Print whole arrays and long texts"),
    FLAG("metadata", 0, metadata_only, BIT(INSPECT), "Metadata only"),
    FLAG("tensors", 0, tensors_only, BIT(INSPECT), "Tensors only"),

    INTEGER("windows", 'w', windows, BIT(PERPLEXITY), "N", "0", 0, 1000000,
            "Score the first N windows; 0: all"),
    PATH("save-logits", 0, save_logits, BIT(PERPLEXITY), "FILE", "Write the scored distributions to FILE"),
    PATH("kl-against", 0, kl_against, BIT(PERPLEXITY), "FILE",
         "Report the divergence from the distributions in FILE (from --save-logits)"),

    INTEGER("prefill", 'p', prefill, BIT(BENCH), "N", "512", 0, 1000000,
            "Tokens of the prompt to measure; 0: skip"),
    INTEGER("generate", 'g', generate, BIT(BENCH), "N", "128", 0, 1000000, "Tokens to generate; 0: skip"),
    INTEGER("depth", 0, depth, BIT(BENCH), "N", "0", 0, 1000000,
            "Tokens that the context holds before generation is measured"),
    INTEGER("repeat", 0, repeat, BIT(BENCH), "N", "5", 1, 1000,
            "Samples of each measurement, after one warm-up"),
    FLAG("no-hash", 0, no_hash, BIT(BENCH), "Leave the model's SHA-256 out of the report"),
    FLAG("load-only", 0, load_only, BIT(BENCH), "Measure loading alone"),

    FLAG("list", 'l', list, BIT(FETCH), "List the catalogue and what of it is here"),
    TEXT("sha256", 0, sha256, BIT(FETCH), "HEX", "Refuse a file that does not have this hash"),
    PATH("output", 'o', output, BIT(FETCH), "FILE", "Where to put the file, instead of the cache"),
    FLAG("verify", 0, verify, BIT(FETCH), "Check the hash of a file that is already here"),
    FLAG("force", 'f', force, BIT(FETCH), "Download again, also where the file is here"),
    INTEGER("retries", 0, retries, BIT(FETCH), "N", "5", 0, 100, "Attempts after the first before giving up"),
    INTEGER("retry-wait", 0, retry_wait, BIT(FETCH), "MS", "1000", 0, 60000,
            "Wait before the first retry; it doubles with each"),
    INTEGER("timeout", 0, timeout, BIT(FETCH), "S", "30", 1, 86400,
            "Give up on a connection that is silent this long"),

    FLAG("markdown", 0, markdown, BIT(HELP), "Print the reference of every command as Markdown"),

    PATH("catalogue", 0, catalogue, MODEL_USERS | BIT(INSPECT) | BIT(FETCH), "FILE",
         "Catalogue to use instead of the built-in models.json"),
    FLAG("json", 'j', json, EVERY & ~(BIT(CHAT) | BIT(COMPLETION) | BIT(HELP)), "Print JSON, errors too"),
    FLAG("quiet", 'q', quiet, EVERY, "No progress, no remarks"),
    CHOICE("color", color, EVERY, "auto", "auto always never",
           "Colours: auto, always, never; NO_COLOR is respected"),
    FLAG("help", 'h', help, EVERY, "Show this text"),
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

#define MODEL_ARGUMENT                                                                                       \
    {"MODEL", ARGUMENT_MODEL, true, "A GGUF file, a Hugging Face folder, or a name of the catalogue"}

const command_row command_table[COMMAND_COUNT] = {
    [COMMAND_RUN] = {"run",
                     "Answer one prompt",
                     "Prints the model's reply to PROMPT. A model with a chat template gets the prompt as a "
                     "user's message;\n"
                     "--raw completes the text instead. PROMPT is read from standard input where it is \"-\" "
                     "or left out.",
                     {MODEL_ARGUMENT,
                      {"PROMPT", ARGUMENT_TEXT, false, "The prompt; \"-\": standard input"},
                      {0}},
                     "smidgen run smollm2-135m \"Name three colours.\"\n"
                     "smidgen run model.gguf --raw -n 40 \"Once upon a time\"\n"
                     "git log -5 | smidgen run qwen-0.5b --system \"Summarise.\" -",
                     command_run},
    [COMMAND_CHAT] = {"chat",
                      "Talk with a model",
                      "A conversation of several turns. Lines that begin with / are commands (/help lists "
                      "them). Ctrl-C stops the\n"
                      "reply, Ctrl-D leaves.",
                      {MODEL_ARGUMENT, {0}},
                      "smidgen chat qwen-0.5b\n"
                      "smidgen chat model.gguf --system \"Answer in one sentence.\" --temperature 0.2",
                      command_chat},
    [COMMAND_TOKENIZE] = {"tokenize",
                          "Show a text as the model's tokens",
                          "Prints one token a line: its id and its text. TEXT is read from standard input "
                          "where it is \"-\" or left out.",
                          {MODEL_ARGUMENT,
                           {"TEXT", ARGUMENT_TEXT, false, "The text; \"-\": standard input"},
                           {0}},
                          "smidgen tokenize smollm2-135m \"Hello world\"\n"
                          "smidgen tokenize smollm2-135m --decode \"19556 905\"",
                          command_tokenize},
    [COMMAND_INSPECT] = {"inspect",
                         "Show what a model file holds",
                         "Prints metadata and tensors as a tree. Reads headers only: the model need not be "
                         "of a supported family.",
                         {MODEL_ARGUMENT, {0}},
                         "smidgen inspect model.gguf\n"
                         "smidgen inspect model.gguf --json | jq .total",
                         command_inspect},
    [COMMAND_PERPLEXITY] =
        {"perplexity",
         "Score a text, or compare two models on it",
         "Cuts FILE into windows of --context tokens and scores the second half of each. With --save-logits "
         "the scored\n"
         "distributions go to a file; with --kl-against they are compared with such a file.",
         {MODEL_ARGUMENT, {"FILE", ARGUMENT_FILE, true, "A text file; \"-\": standard input"}, {0}},
         "smidgen perplexity model.gguf book.txt -w 20\n"
         "smidgen perplexity model-f32.gguf book.txt --exact --save-logits book.logits\n"
         "smidgen perplexity model-q4.gguf book.txt --kl-against book.logits",
         command_perplexity},
    [COMMAND_BENCH] = {"bench",
                       "Measure speed and memory",
                       "Measures loading, prefill, generation (also at depth) and memory: one JSON line each "
                       "with --json, with every\n"
                       "sample, the median, the machine, the commit, the build and the model.",
                       {MODEL_ARGUMENT, {0}},
                       "smidgen bench model.gguf -t 2\n"
                       "smidgen bench model.gguf --depth 2048 --json",
                       command_bench},
    [COMMAND_FETCH] =
        {"fetch",
         "Download a model",
         "WHAT is a name of the catalogue, an https:// address, hf:ORG/REPO/FILE, or a file that is here (it "
         "is then\n"
         "only checked). Downloads resume where they stopped; a file with a wrong hash is refused. Prints "
         "the path.\n"
         "HF_ENDPOINT and HF_TOKEN are respected for hf:. Files lie in $XDG_CACHE_HOME/smidgen.",
         {{"WHAT", ARGUMENT_MODEL, false, "Name, address, hf:ORG/REPO/FILE or path"}, {0}},
         "smidgen fetch --list\n"
         "smidgen fetch smollm2-135m\n"
         "smidgen fetch https://example.org/model.gguf --sha256 0123...",
         command_fetch},
    [COMMAND_PROBE] =
        {"probe",
         "Show what this machine can do",
         "Prints processor, instruction sets, the kernel set that Smidgen uses here, cores and memory.",
         {{0}},
         "smidgen probe\nsmidgen probe --json",
         command_probe},
    [COMMAND_COMPLETION] = {"completion",
                            "Print a completion script for a shell",
                            "Prints the script for bash, zsh or fish.",
                            {{"SHELL", ARGUMENT_SHELL, true, "bash, zsh or fish"}, {0}},
                            "source <(smidgen completion bash)\n"
                            "smidgen completion fish > ~/.config/fish/completions/smidgen.fish",
                            command_completion},
    [COMMAND_HELP] = {"help",
                      "Explain a command",
                      "Shows the help of COMMAND, or of the program.",
                      {{"COMMAND", ARGUMENT_COMMAND, false, "A command"}, {0}},
                      "smidgen help run",
                      command_help},
    [COMMAND_VERSION] = {"version",
                         "Print the version",
                         "Prints version, commit and build.",
                         {{0}},
                         "smidgen version --json",
                         command_version},
};
