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

/* Each row: template, variables, expected text. Expected texts are what Python's jinja2 3.1 gives with
 * trim_blocks, lstrip_blocks and loop controls. */
static void check_rows(const char *const rows[][3], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        arena a;
        arena_init(&a, &memory_system);
        smidgen_error error;
        const char *text = render(&a, rows[i][0], rows[i][1], &error);
        if (text == NULL || strcmp(text, rows[i][2]) != 0) {
            test_fail(__FILE__, __LINE__, "%s\n  gives    \"%s\"\n  expected \"%s\"", rows[i][0],
                      text == NULL ? error.message : text, rows[i][2]);
        }
        arena_close(&a);
    }
}

TEST(chat_template_evaluates_simple_expressions)
{
    static const char *const rows[][3] = {
        {"{{ 1 + 2 * 3 }}", NULL, "7"},
        {"{{ 'a' ~ 1 ~ none }}", NULL, "a1None"},
        {"{% for x in [1,2,3] %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", NULL, "1,2,3"},
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}
