/* Any bytes as a chat template, rendered with messages, tools and text of every kind.
 * seeds: templates */
#include <string.h>

#include "base/memory.h"
#include "generate/chat_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char variables[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\" Be kind. "
    "\"},{\"role\":\"user\",\"content\":\"Gr\\u00fc\\u00dfe\\n\"},"
    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"abcdef123\",\"type\":\"function\","
    "\"function\":"
    "{\"name\":\"f\",\"arguments\":{\"x\":[1,2.5,true,null,\"y\"]}}}]},{\"role\":\"tool\",\"content\":\"\"},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":\"image\"}]}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{}}}}],"
    "\"n\":7,\"pi\":3.5,\"list\":[3,1,2],\"text\":\"Hello, World\",\"d\":{\"a\":1,\"b\":\"two\"}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    smidgen_error error;
    chat_template *t =
        size > 65536 ? NULL : chat_template_create((const char *)data, size, &memory_system, &error);
    if (t == NULL) {
        return 0;
    }
    arena a;
    size_t text_size;
    arena_init(&a, &memory_system);
    chat_template_input input = {.add_generation_prompt = true, .bos_token = "<s>", .eos_token = "</s>"};
    input.variables_json = variables;
    const char *text = chat_template_render(t, &input, &a, &text_size, &error);
    if (text != NULL && text[text_size] != 0) {
        __builtin_trap();
    }
    arena_close(&a);
    chat_template_close(t);
    return 0;
}
