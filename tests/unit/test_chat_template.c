/* Chat templates: real ones against the reference texts, the language, its bounds, hostile input. */
#include "test.h"

#include "failing_allocator.h"

#include "base/file.h"
#include "base/json.h"
#include "base/thread.h"
#include "generate/chat_template.h"

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
