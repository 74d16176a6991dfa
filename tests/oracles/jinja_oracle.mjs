#!/usr/bin/env node
/* Writes tests/data/templates/expected.json: what npm's @huggingface/jinja renders from every template in
 * that folder and from the chat templates of the real models, with several lists of messages each.
 *
 *     npm ci --prefix tests && node tests/oracles/jinja_oracle.mjs [--check]
 *
 * --check compares instead of writing. What a template refuses by raise_exception is expected as "error". */
import { Template } from "@huggingface/jinja";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const data = join(dirname(fileURLToPath(import.meta.url)), "..", "data");
const path = join(data, "templates", "expected.json");

const user = (content) => ({ role: "user", content });
const assistant = (content, more) => ({ role: "assistant", content, ...more });
const system = (content) => ({ role: "system", content });
const tokens = { bos_token: "<s>", eos_token: "</s>", date_string: "24 Nov 2026" };

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Tells the weather of a place.",
    parameters: {
      type: "object",
      properties: {
        place: { type: "string", description: "A town, \"quoted\" or <tagged>" },
        days: { type: "integer", description: "How many days ahead" },
        units: {
          type: "string", enum: ["celsius", "fahrenheit"], default: "celsius", description: "Unité — 単位",
        },
        near: { type: "array", description: "Points", items: { type: "number" } },
      },
      required: ["place", "units"],
    },
  },
};
const clock = {
  type: "function",
  function: {
    name: "now",
    description: "Tells the time.",
    parameters: { type: "object", properties: {}, required: [] },
  },
};
const call = (id, name, args) => ({
  id, type: "function", function: { name, arguments: args },
});

/* Name: variables. Every template is rendered with the first group; the others need what only some know. */
const plain = {
  one_turn: { messages: [user("Hello!")], add_generation_prompt: true },
  one_turn_unprompted: { messages: [user("Hello!")], add_generation_prompt: false },
  system: { messages: [system("Be brief."), user("Hi")], add_generation_prompt: true },
  turns: {
    messages: [user("What is 1+1?"), assistant("2"), user("And 2+2?"), assistant("  4\n"), user("Thanks")],
    add_generation_prompt: true,
  },
  turns_system: {
    messages: [system("  Be exact.\n"), user("a\n\nb\r\n\r\nc"), assistant("Yes\n"), user(" spaced ")],
    add_generation_prompt: true,
  },
  turns_closed: { messages: [user("Ping"), assistant("Pong")], add_generation_prompt: false },
  unicode: {
    messages: [system("Réponds en français — ½ 日本語"),
      user("Grüße 😀\u00a0<b>\"x\"</b> & {{ raw }} {% x %} \\n"),
      assistant("Привет, мир\u2028！")],
    add_generation_prompt: true,
  },
  empty: { messages: [user(""), assistant(""), user("")], add_generation_prompt: true },
  thinking: {
    messages: [user("Why?"), assistant("<think>\nbecause\n</think>\n\nSo."), user("/no_think Go on"),
      assistant("<think>\n\n</think>\n\nDone.")],
    add_generation_prompt: true, enable_thinking: false,
  },
  out_of_turn: { messages: [assistant("I begin."), user("Oh"), user("Again")], add_generation_prompt: true },
  late_system: { messages: [user("a"), assistant("b"), system("c"), user("d")], add_generation_prompt: true },
};
const special = {
  tools: { messages: [user("Weather in Rome?")], tools: [weather, clock], add_generation_prompt: true },
  tools_system: {
    messages: [system("Use tools."), user("Weather in Rome?")], tools: [weather], add_generation_prompt: true,
    tools_in_user_message: false, builtin_tools: ["search", "code_interpreter"],
  },
  tool_turns: {
    messages: [user("Weather?"),
      assistant("", { tool_calls: [call("abcdef123", "get_weather", { place: "Rome", units: "celsius" })] }),
      { role: "tool", name: "get_weather", tool_call_id: "abcdef123", content: "{\"sky\": \"clear\"}" },
      assistant("Clear."), user("Time?"),
      assistant("Let me see.", { tool_calls: [call("ghijkl456", "now", {})] }),
      { role: "tool", name: "now", tool_call_id: "ghijkl456", content: "12:00" }],
    tools: [weather, clock], add_generation_prompt: true,
  },
  tool_pair: {
    messages: [user("Both"),
      assistant(null, { tool_calls: [call("a", "get_weather", { place: "Oslo", near: [1, 2.5, null, true] }),
        call("b", "now", {})] }),
      { role: "tool", content: "cold" }, { role: "tool", content: "noon" }],
    tools: [weather, clock], add_generation_prompt: false,
  },
  documents: {
    messages: [user("Who?")], add_generation_prompt: true, controls: { length: "short" },
    documents: [{ title: "One", text: "First text." }, { title: "Two", text: "Second\ntext." }],
    contexts: [" c1 ", "c2"],
  },
  blocks: {
    messages: [user([{ type: "text", text: "Look: " }, { type: "image" }, { type: "text", text: " this" }]),
      assistant([{ type: "text", text: "A cat." }]), user([{ type: "text", text: "Sure?" }])],
    add_generation_prompt: true,
  },
  blocks_system: {
    messages: [system([{ type: "text", text: "Be kind." }]), user([{ type: "text", text: "Hi" }])],
    add_generation_prompt: true,
  },
  developer: {
    messages: [{ role: "developer", content: "Rules" }, user("Go"),
      assistant("Went.", { thinking: "hm", reasoning_content: "hm" })],
    add_generation_prompt: false, model_identity: "You are a test.", reasoning_effort: "high",
  },
};

const wants = {
  "llama3.1": ["tools", "tools_system", "tool_turns", "tool_pair"],
  mistral_v3_tools: ["tools", "tool_turns", "tool_pair"],
  mistral_tekken: ["blocks", "blocks_system"],
  gemma3: ["blocks", "blocks_system"],
  qwen3: ["tools", "tools_system", "tool_turns", "tool_pair", "blocks", "developer"],
  deepseek_r1: ["tools", "tool_turns", "tool_pair"],
  command_r: ["documents"],
  command_r_tools: ["tools", "tools_system", "tool_turns", "tool_pair"],
  granite: ["tools", "tools_system", "documents"],
  hermes_tools: ["tools", "tools_system", "tool_turns", "tool_pair"],
  chatglm: ["tools", "documents"],
  nemotron: ["tools", "documents", "tool_pair"],
  gpt_oss: ["tools", "tools_system", "tool_turns", "developer"],
  smollm3: ["blocks", "tool_turns"],
  llava: ["blocks", "blocks_system"],
  call_blocks: ["blocks", "tool_turns"],
  "real_llm/qwen-0.5b": ["tools", "tools_system", "tool_turns", "tool_pair"],
  "real_llm/qwen-1.5b": ["tools", "tool_turns"],
};
/* Templates that only make sense with some inputs. */
const only = { llava: ["blocks", "blocks_system"] };
/* What the oracle cannot render, or renders unlike Python's jinja2: "template input": why.
 * language_cases.txt covers the constructs. */
const skipped = {
  "llama3.1 tools_system": "it has no filter `reject` for lists",
  "smollm3 turns": "its lstrip() ignores which characters it is given",
  "smollm3 tool_turns": "it has no filter `string` for dicts",
};

function templates() {
  const names = readdirSync(join(data, "templates")).filter((name) => name.endsWith(".jinja")).sort();
  const list = names.map((name) => [name.slice(0, -6), readFileSync(join(data, "templates", name), "utf8")]);
  for (const model of ["qwen-0.5b", "qwen-1.5b", "smollm2-135m"]) {
    const file = JSON.parse(readFileSync(join(data, "real_llm", model, "model.json"), "utf8"));
    list.push([`real_llm/${model}`, file.chat_template]);
  }
  return list;
}

function render(template, variables) {
  try {
    return { text: template.render({ ...tokens, ...variables }) };
  } catch (error) {
    return { error: error.message };
  }
}

const inputs = { ...plain, ...special };
const cases = [];
for (const [name, source] of templates()) {
  const template = new Template(source);
  for (const input of only[name] ?? [...Object.keys(plain), ...(wants[name] ?? [])]) {
    if (!(`${name} ${input}` in skipped)) {
      cases.push({ template: name, input, ...render(template, inputs[input]) });
    }
  }
}
const strings = {};
for (const [name, variables] of Object.entries(inputs)) {
  strings[name] = JSON.stringify({ ...tokens, ...variables });
}
const text = JSON.stringify({ inputs: strings, cases }, null, 1) + "\n";
if (process.argv.includes("--check")) {
  if (readFileSync(path, "utf8") !== text) {
    console.error("tests/data/templates/expected.json is not what this script writes");
    process.exit(1);
  }
} else {
  writeFileSync(path, text);
}
