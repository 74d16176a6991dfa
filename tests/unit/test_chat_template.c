/* Chat templates: real ones against the reference texts, the language, its bounds, hostile input. */
#include "test.h"

#include "failing_allocator.h"

#include "base/file.h"
#include "base/json.h"
#include "base/thread.h"
#include "generate/chat_template.h"
#include "generate/jinja/jinja_tables.h"

#include <stdlib.h>

/* Renders without messages; returns text in the arena, or NULL with *error set. */
static char *render(arena *a, const char *source, const char *variables, smidgen_error *error)
{
    chat_template *t = chat_template_create(source, strlen(source), a->allocator, error);
    if (t == NULL) {
        return NULL;
    }
    chat_template_input input = {.variables_json = variables};
    char *text = chat_template_render(t, &input, a, NULL, error);
    chat_template_close(t);
    return text;
}

static void check_real(const char *model)
{
    arena a;
    arena_init(&a, &memory_system);
    smidgen_error error;
    char name[128];
    uint64_t size;
    json_document *files[2];
    static const char *const parts[] = {"model.json", "prompts.json"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "real_llm/%s/%s", model, parts[i]);
        char *text = file_read_all(&a, test_data(name), 1 << 20, &size, &error);
        REQUIRE(text != NULL);
        files[i] = json_parse(text, (size_t)size, name, &memory_system, &error);
        REQUIRE(files[i] != NULL);
    }
    size_t source_size;
    const char *source = json_string(json_get(json_root(files[0]), "chat_template"), &source_size);
    REQUIRE(source != NULL);
    chat_template *t = chat_template_create(source, source_size, &memory_system, &error);
    REQUIRE(t != NULL);
    int chats = 0;
    for (json_iterator it = json_iterate(json_root(files[1])); json_next(&it);) {
        const json_value *list = json_get(it.value, "messages");
        if (list == NULL) {
            continue;
        }
        smidgen_message messages[16];
        size_t count = 0;
        for (json_iterator m = json_iterate(list); json_next(&m);) {
            REQUIRE(count < 16);
            messages[count].role = json_string(json_get(m.value, "role"), NULL);
            messages[count++].content = json_string(json_get(m.value, "content"), NULL);
        }
        chat_template_input input = {.messages = messages, .count = count, .add_generation_prompt = true};
        char *text = chat_template_render(t, &input, &a, NULL, &error);
        if (text == NULL) {
            test_fail(__FILE__, __LINE__, "%s: %s", model, error.message);
        }
        CHECK_TEXT(text, json_string(json_get(it.value, "text"), NULL));
        chats++;
    }
    CHECK(chats > 0);
    chat_template_close(t);
    json_close(files[0]);
    json_close(files[1]);
    arena_close(&a);
}

TEST(chat_template_of_real_models_renders_the_reference_text)
{
    check_real("smollm2-135m");
    check_real("qwen-0.5b");
    check_real("qwen-1.5b");
}

/* A file under tests/data, parsed; its text lies in the arena. */
static json_document *open_json(arena *a, const char *name)
{
    smidgen_error error;
    uint64_t size;
    char *text = file_read_all(a, test_data(name), 16 << 20, &size, &error);
    return text == NULL ? NULL : json_parse(text, (size_t)size, name, &memory_system, &error);
}

/* What Python's jinja2 makes of some hundred small templates (tests/oracles/jinja_language.py). */
TEST(chat_template_language_agrees_with_jinja2)
{
    arena a, scratch;
    arena_init(&a, &memory_system);
    json_document *document = open_json(&a, "templates/language.json");
    REQUIRE(document != NULL);
    const json_value *root = json_root(document);
    const char *variables = json_string(json_get(root, "variables"), NULL);
    int cases = 0;
    for (json_iterator it = json_iterate(json_get(root, "cases")); json_next(&it); cases++) {
        smidgen_error error = {0};
        arena_init(&scratch, &memory_system);
        const char *source = json_string(json_get(it.value, "template"), NULL);
        const char *expected = json_string(json_get(it.value, "text"), NULL);
        const char *text = render(&scratch, source, variables, &error);
        if (expected == NULL ? text != NULL : text == NULL || strcmp(text, expected) != 0) {
            test_fail(__FILE__, __LINE__, "%s\n  gives    \"%s\"\n  expected \"%s\"", source,
                      text == NULL ? error.message : text, expected == NULL ? "(an error)" : expected);
        }
        CHECK(text != NULL || error.code == SMIDGEN_ERROR_TEMPLATE);
        arena_close(&scratch);
    }
    CHECK(cases > 200);
    json_close(document);
    arena_close(&a);
}

static chat_template *open_template(const char *name, arena *a, smidgen_error *error)
{
    char path[160];
    uint64_t size;
    if (strncmp(name, "real_llm/", 9) != 0) {
        snprintf(path, sizeof path, "templates/%s.jinja", name);
        char *source = file_read_all(a, test_data(path), 1 << 20, &size, error);
        return source == NULL ? NULL : chat_template_create(source, (size_t)size, &memory_system, error);
    }
    snprintf(path, sizeof path, "%s/model.json", name);
    json_document *document = open_json(a, path);
    size_t source_size;
    const char *source = json_string(json_get(json_root(document), "chat_template"), &source_size);
    chat_template *t =
        source == NULL ? NULL : chat_template_create(source, source_size, &memory_system, error);
    json_close(document);
    return t;
}

/* tests/oracles/jinja_oracle.mjs */
TEST(chat_templates_of_published_style_agree_with_the_oracle)
{
    arena a, scratch;
    arena_init(&a, &memory_system);
    json_document *document = open_json(&a, "templates/expected.json");
    REQUIRE(document != NULL);
    const json_value *root = json_root(document);
    int cases = 0;
    for (json_iterator it = json_iterate(json_get(root, "cases")); json_next(&it); cases++) {
        smidgen_error error = {0};
        arena_init(&scratch, &memory_system);
        const char *name = json_string(json_get(it.value, "template"), NULL);
        const char *given = json_string(json_get(it.value, "input"), NULL);
        const char *expected = json_string(json_get(it.value, "text"), NULL);
        const char *refusal = json_string(json_get(it.value, "error"), NULL);
        chat_template_input input = {.variables_json =
                                         json_string(json_get(json_get(root, "inputs"), given), NULL)};
        chat_template *t = open_template(name, &scratch, &error);
        const char *text = t == NULL ? NULL : chat_template_render(t, &input, &scratch, NULL, &error);
        const char *shown = text == NULL ? error.message : text;
        if ((text == NULL) != (expected == NULL) ||
            strcmp(shown, expected == NULL ? refusal : expected) != 0) {
            test_fail(__FILE__, __LINE__, "%s with %s\n  gives    \"%s\"\n  expected \"%s\"", name, given,
                      shown, expected == NULL ? refusal : expected);
        }
        chat_template_close(t);
        arena_close(&scratch);
    }
    CHECK(cases > 400);
    json_close(document);
    arena_close(&a);
}

/* ---- docs/chat-templates.md lists what the tables hold */

typedef struct page {
    char text[16384];
    size_t size, column;
} page;

static void add_text(page *p, const char *text)
{
    size_t size = strlen(text);
    if (p->size + size < sizeof p->text) {
        memcpy(p->text + p->size, text, size + 1);
        p->size += size;
        p->column += size;
    }
}

/* A word in back quotes, on a new line where it would pass column 108. */
static void add_word(page *p, const char *word)
{
    bool is_broken = p->column + strlen(word) + 3 > 108;
    add_text(p, is_broken ? "\n" : " ");
    p->column = is_broken ? 0 : p->column;
    add_text(p, "`");
    add_text(p, word);
    add_text(p, "`");
}

static void add_title(page *p, const char *title)
{
    p->column = 0;
    add_text(p, title);
}

/* "indent(width, first, blank)" */
static void write_signature(const jinja_function *row, bool is_callable, char out[128])
{
    size_t used = (size_t)snprintf(out, 128, "%s", row->name);
    if (row->parameters == NULL) {
        snprintf(out + used, 128 - used, "(...)");
    } else if (row->parameters[0] != 0 || is_callable) {
        used += (size_t)snprintf(out + used, 128 - used, "(");
        for (const char *c = row->parameters; *c != 0; c++) {
            used += (size_t)snprintf(out + used, 128 - used, *c == ' ' ? ", " : "%c", *c);
        }
        snprintf(out + used, 128 - used, ")");
    }
}

static void add_rows(page *p, jinja_table table, bool is_callable, bool wanted_refused)
{
    const jinja_function *row;
    for (size_t i = 0; (row = jinja_table_row(table, i)) != NULL; i++) {
        char signature[128];
        write_signature(row, is_callable, signature);
        if ((row->bound == NULL && row->free == NULL) == wanted_refused) {
            add_word(p, wanted_refused ? row->name : signature);
        }
    }
}

TEST(chat_template_documentation_lists_exactly_the_tables)
{
    static const struct {
        const char *title;
        jinja_table table;
        bool is_callable;
    } tables[] = {
        {"\n\n**Functions:**", JINJA_TABLE_FUNCTIONS, true},
        {"\n\n**Filters:**", JINJA_TABLE_FILTERS, false},
        {"\n\n**Tests:**", JINJA_TABLE_TESTS, false},
        {"\n\n**Methods of strings:**", JINJA_TABLE_STRING_METHODS, true},
        {"\n\n**Methods of dicts:**", JINJA_TABLE_DICT_METHODS, true},
        {"\n\n**Methods of lists:**", JINJA_TABLE_LIST_METHODS, true},
        {"\n\n**Methods of `loop`:**", JINJA_TABLE_LOOP_METHODS, true},
    };
    enum { TABLE_COUNT = sizeof tables / sizeof tables[0] };
    static page p;
    p.size = p.column = 0;
    add_text(&p, "<!-- the tables: begin -->\n");
    const char *tags[32];
    size_t tag_count = jinja_tag_names(tags, 32);
    REQUIRE(tag_count <= 32);
    add_title(&p, "**Tags:**");
    for (size_t i = 0; i < tag_count; i++) {
        add_word(&p, tags[i]);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        add_title(&p, tables[i].title);
        add_rows(&p, tables[i].table, tables[i].is_callable, false);
    }
    add_title(&p, "\n\n**Known by name, but refused when called:**");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        add_rows(&p, tables[i].table, tables[i].is_callable, true);
    }
    add_text(&p, "\n<!-- the tables: end -->\n");
    arena a;
    uint64_t size;
    smidgen_error error;
    arena_init(&a, &memory_system);
    const char *document =
        file_read_all(&a, test_data("../../docs/chat-templates.md"), 1 << 20, &size, &error);
    REQUIRE(document != NULL);
    if (strstr(document, p.text) == NULL) {
        test_fail(__FILE__, __LINE__, "docs/chat-templates.md should hold:\n%s", p.text);
    }
    arena_close(&a);
}
