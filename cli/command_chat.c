/* `smidgen chat`: a conversation. Every turn renders the whole conversation; the session reuses what it
 * already holds. */
#include "commands.h"
#include "json.h"
#include "model.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct chat {
    const options *o;
    loaded_model m;
    smidgen_session *session;
    sampling_choice sampling;
    text template_text;
    char *system;              /* or NULL */
    smidgen_message *messages; /* [count] without the system message; contents are owned */
    size_t count;
    bool terminal; /* a person types */
    smidgen_usage usage;
    int32_t reply_tokens;
} chat;

static void add_message(chat *c, const char *role, const char *content, size_t size)
{
    c->messages = cli_resize(c->messages, (c->count + 1) * sizeof *c->messages);
    c->messages[c->count++] = (smidgen_message){role, cli_copy(content, size)};
}

static void drop_messages(chat *c, size_t keep)
{
    while (c->count > keep) {
        free((void *)(uintptr_t)c->messages[--c->count].content);
    }
}

/* The conversation as tokens, the system message in front. */
static bool conversation_ids(chat *c, id_list *ids, smidgen_error *error)
{
    smidgen_message *all = cli_allocate((c->count + 1) * sizeof *all);
    size_t first = c->system != NULL ? 1 : 0;
    all[0] = (smidgen_message){"system", c->system};
    memcpy(all + first, c->messages, c->count * sizeof *all);
    bool fine = ids_of_chat(ids, &c->m, c->template_text.bytes, all, first + c->count, error);
    free(all);
    return fine;
}

/* Lets the model answer the last message. What goes wrong is said, and the turn is taken back; the chat goes
 * on. */
static bool reply_turn(chat *c)
{
    smidgen_error error;
    id_list ids = {NULL, 0};
    reply r;
    memset(&error, 0, sizeof error);
    memset(&r, 0, sizeof r);
    r.session = c->session;
    r.max_tokens = c->o->max_tokens;
    r.stream = true;
    bool fine = smidgen_session_set_sampling(c->session, &c->sampling.sampling, &error) &&
                conversation_ids(c, &ids, &error) &&
                smidgen_session_set_prompt(c->session, ids.ids, ids.count, &error) >= 0 &&
                reply_make(&r, &error);
    if (fine) {
        print_format("\n");
        if (r.interrupted && c->terminal) {
            remark(c->o, "%s(stopped)%s", style_begin(c->o, stderr, STYLE_FAINT), style_end(c->o, stderr));
        } else if (r.finish == SMIDGEN_FINISH_LENGTH) {
            remark(c->o, "(the context is full: /clear begins anew, --slide forgets the oldest part)");
        }
        text_add(&r.text, "", 0);
        if (r.interrupted &&
            r.ids.count == 0) { /* stopped before the first word: as if it had not been asked */
            drop_messages(c, c->count - 1);
        } else {
            add_message(c, "assistant", r.text.bytes, r.text.size);
        }
        c->usage = r.usage;
        c->reply_tokens = (int32_t)r.ids.count;
    } else {
        fail(c->o, &error);
        drop_messages(c, c->count - 1);
    }
    bool closed = r.output_closed;
    signals_clear();
    reply_free(&r);
    ids_free(&ids);
    print_flush();
    return !closed;
}

/* ------------------------------------------------------------------------------------------------ /commands
 */

static void say_help(void)
{
    print_format("/help              this list\n"
                 "/system [TEXT]     set the system message and begin anew; without TEXT: show it\n"
                 "/clear             forget the conversation, keep the system message\n"
                 "/regenerate        another answer to the last message\n"
                 "/undo              take the last message and its answer back\n"
                 "/save FILE         write the conversation to FILE as JSON\n"
                 "/stats             tokens and speed of the last answer, memory\n"
                 "/exit              leave (also Ctrl-D)\n"
                 "\"\"\"                begins and ends a message of several lines\n"
                 "Ctrl-C stops an answer. A message that begins with a slash: write // instead.\n");
}

static void say_stats(const chat *c)
{
    const int32_t *ids = NULL;
    smidgen_memory memory;
    char weights[32], cache[32], rest[32];
    smidgen_memory_report(c->m.model, c->session, &memory);
    uint64_t cache_bytes = memory.kv_cache_bytes;
    uint64_t rest_bytes = memory.activations_bytes + memory.tokenizer_bytes + memory.other_bytes;
    smidgen_memory_report(c->m.model, NULL, &memory);
    int32_t held = smidgen_session_tokens(c->session, &ids);
    print_format("conversation  %d tokens, %zu messages\n", (int)held, c->count);
    print_format(
        "last answer   prompt %d tokens (%d reused), %.1f tokens/s; answer %d tokens, %.1f tokens/s\n",
        (int)c->usage.prompt_tokens, (int)c->usage.cached_tokens,
        per_second(c->usage.prompt_tokens - c->usage.cached_tokens, c->usage.prefill_seconds),
        (int)c->reply_tokens, per_second(c->reply_tokens, c->usage.decode_seconds));
    print_format("memory        weights %s, keys and values %s, rest %s\n",
                 human_bytes(memory.weights_bytes, weights), human_bytes(cache_bytes, cache),
                 human_bytes(rest_bytes, rest));
    print_format("model         %s, %s kernels, %d threads, seed %llu\n", c->m.path, c->m.info.kernel_set,
                 (int)c->m.info.threads, (unsigned long long)c->sampling.sampling.seed);
}

static void save(const chat *c, const char *path)
{
    text out = {NULL, 0, 0};
    json_writer w = json_write_begin(&out);
    json_write_open(&w, NULL, '{');
    json_write_text(&w, "model", c->m.path);
    json_write_open(&w, "messages", '[');
    for (size_t i = 0; i < c->count + 1; i++) {
        bool system = i == 0;
        if (system && c->system == NULL) {
            continue;
        }
        json_write_open(&w, NULL, '{');
        json_write_text(&w, "role", system ? "system" : c->messages[i - 1].role);
        json_write_text(&w, "content", system ? c->system : c->messages[i - 1].content);
        json_write_close(&w, '}');
    }
    json_write_close(&w, ']');
    json_write_close(&w, '}');
    text_put(&out, "\n");
    FILE *f = fopen(path, "w");
    bool fine = f != NULL && fwrite(out.bytes, 1, out.size, f) == out.size;
    fine = (f == NULL || fclose(f) == 0) && fine;
    if (fine) {
        print_format("saved %zu messages to %s\n", c->count, path);
    } else {
        fail_with(c->o, SMIDGEN_ERROR_IO, "Check the path and the disk.", "cannot write %s: %s", path,
                  strerror(errno));
    }
    text_free(&out);
}

static void set_system(chat *c, const char *words)
{
    if (*words == 0) {
        print_format("%s\n", c->system != NULL ? c->system : "(no system message)");
        return;
    }
    free(c->system);
    c->system = cli_copy(words, strlen(words));
    drop_messages(c, 0);
    print_format("system message set; the conversation begins anew\n");
}

/* Another answer to the last message: the sampler must not repeat itself, so the seed moves on. */
static bool regenerate(chat *c)
{
    while (c->count != 0 && strcmp(c->messages[c->count - 1].role, "assistant") == 0) {
        drop_messages(c, c->count - 1);
    }
    if (c->count == 0) {
        print_format("there is no message to answer yet\n");
        return true;
    }
    c->sampling.sampling.seed++;
    return reply_turn(c);
}

static void undo(chat *c)
{
    size_t keep = c->count;
    while (keep != 0 && strcmp(c->messages[keep - 1].role, "user") != 0) {
        keep--;
    }
    drop_messages(c, keep != 0 ? keep - 1 : 0);
    print_format("%zu messages left\n", c->count);
}

/* line begins with a slash. False: leave the chat. */
static bool slash_command(chat *c, const char *line)
{
    size_t size = strcspn(line, " \t");
    const char *words = line + size + strspn(line + size, " \t");
    char name[16];
    snprintf(name, sizeof name, "%.*s", size < sizeof name ? (int)size : 0, line);
    if (strcmp(name, "/exit") == 0 || strcmp(name, "/quit") == 0 || strcmp(name, "/bye") == 0) {
        return false;
    }
    if (strcmp(name, "/regenerate") == 0) {
        return regenerate(c);
    }
    if (strcmp(name, "/help") == 0 || strcmp(name, "/?") == 0) {
        say_help();
    } else if (strcmp(name, "/system") == 0) {
        set_system(c, words);
    } else if (strcmp(name, "/clear") == 0) {
        drop_messages(c, 0);
        print_format("forgotten\n");
    } else if (strcmp(name, "/undo") == 0) {
        undo(c);
    } else if (strcmp(name, "/save") == 0 && *words != 0) {
        save(c, words);
    } else if (strcmp(name, "/save") == 0) {
        print_format("/save needs a file name\n");
    } else if (strcmp(name, "/stats") == 0) {
        say_stats(c);
    } else {
        print_format("there is no command %.*s; /help lists them\n", (int)size, line);
    }
    return print_flush();
}

/* ------------------------------------------------------------------------------------------------- reading
 */

/* One line without its end into `line`; false at the end of the input. Ctrl-C gives an empty line. */
static bool read_line(chat *c, const char *prompt, text *line)
{
    char *bytes = NULL;
    size_t capacity = 0;
    text_clear(line);
    if (c->terminal) {
        print_format("%s%s%s", style_begin(c->o, stdout, STYLE_ACCENT), prompt, style_end(c->o, stdout));
        print_flush();
    }
    ssize_t size = getline(&bytes, &capacity, stdin);
    if (size < 0 && signals_interrupted()) {
        clearerr(stdin);
        signals_clear();
        if (c->terminal) {
            print_format("\n%s(Ctrl-D or /exit leaves)%s\n", style_begin(c->o, stdout, STYLE_FAINT),
                         style_end(c->o, stdout));
        }
        free(bytes);
        return true;
    }
    if (size >= 0) {
        while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r')) {
            size--;
        }
        text_add(line, bytes, (size_t)size);
    }
    free(bytes);
    return size >= 0;
}

/* A message: a line, or the lines between two """. */
static bool read_message(chat *c, text *message)
{
    if (!read_line(c, "> ", message)) {
        return false;
    }
    if (strncmp(message->bytes, "\"\"\"", 3) != 0) {
        return true;
    }
    text line = {NULL, 0, 0}, all = {NULL, 0, 0};
    text_put(&all, message->bytes + 3);
    for (bool more = true; more;) {
        char *end = strstr(all.bytes, "\"\"\"");
        if (end != NULL) {
            all.size = (size_t)(end - all.bytes);
            break;
        }
        more = read_line(c, ". ", &line);
        text_put(&all, all.size != 0 ? "\n" : "");
        text_add(&all, line.bytes, line.size);
    }
    text_clear(message);
    text_add(message, all.bytes, all.size);
    text_free(&line);
    text_free(&all);
    return true;
}

static void converse(chat *c)
{
    text line = {NULL, 0, 0};
    bool more = true;
    if (c->terminal) {
        remark(c->o, "%s%s, %s kernels, %d threads. /help lists commands, Ctrl-D leaves.%s",
               style_begin(c->o, stderr, STYLE_FAINT), c->o->arguments[0], c->m.info.kernel_set,
               (int)c->m.info.threads, style_end(c->o, stderr));
    }
    while (more && read_message(c, &line)) {
        if (line.size == 0) {
            continue;
        }
        if (line.bytes[0] == '/' && line.bytes[1] != '/') {
            more = slash_command(c, line.bytes);
            continue;
        }
        size_t skip = line.bytes[0] == '/' ? 1 : 0;
        add_message(c, "user", line.bytes + skip, line.size - skip);
        more = reply_turn(c);
    }
    text_free(&line);
}

static bool prepare(chat *c, smidgen_error *error)
{
    const options *o = c->o;
    if (!model_load(&c->m, o, error)) {
        return false;
    }
    if (o->template_file != NULL && !text_read(&c->template_text, o->template_file, 1 << 20, error)) {
        return false;
    }
    if (c->m.info.chat_template == NULL && o->template_file == NULL) {
        return cli_error(error, SMIDGEN_ERROR_TEMPLATE,
                         "It is a base model: use `smidgen run`, or give a template with --template FILE.",
                         "%s has no chat template", o->arguments[0]);
    }
    if (!sampling_make(&c->sampling, o, error)) {
        return false;
    }
    c->system = o->system != NULL ? cli_copy(o->system, strlen(o->system)) : NULL;
    c->session = session_create(o, c->m.model, o->context, error);
    return c->session != NULL;
}

int command_chat(const options *o)
{
    chat c;
    smidgen_error error;
    int status = 0;
    memset(&c, 0, sizeof c);
    memset(&error, 0, sizeof error);
    c.o = o;
    c.terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    if (prepare(&c, &error)) {
        converse(&c);
        if (c.terminal) {
            print_format("\n");
        }
    } else {
        status = fail(o, &error);
        status = error.code == SMIDGEN_ERROR_CANCELLED ? EXIT_INTERRUPTED : status;
    }
    if (c.session != NULL) {
        smidgen_session_close(c.session);
    }
    drop_messages(&c, 0);
    free(c.messages);
    free(c.system);
    sampling_free(&c.sampling);
    text_free(&c.template_text);
    model_unload(&c.m);
    return status;
}
