// The package in Node: the reference's greedy tokens on every build, loading over HTTP, errors. Needs
// SmolLM2 in
// $SMIDGEN_MODELS; without it everything but the errors is skipped by name.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { chooseBuild, load, SmidgenError } from '../build/index.js';
import { serveFile } from './server.mjs';

const path = `${process.env.SMIDGEN_MODELS ?? ''}/smollm2-135m.gguf`;
const skip = existsSync(path) ? false : 'no smollm2-135m.gguf in $SMIDGEN_MODELS';
const vectors = new URL('../../tests/data/real_llm/smollm2-135m/', import.meta.url);
const prompts = JSON.parse(readFileSync(new URL('prompts.json', vectors)));

async function collect(generator, limit = Infinity) {
  const tokens = [];
  let text = '';
  for (;;) {
    const { value, done } = await generator.next();
    if (done) {
      return { tokens, text, ...value };
    }
    if (value.token >= 0) {
      tokens.push(value.token);
    }
    text += value.text;
    if (tokens.length >= limit) {
      await generator.return();
      return { tokens, text };
    }
  }
}

/** The reference's reply up to its end token. */
function expected(prompt) {
  return prompt.greedy.slice(0, prompt.ends_at ?? prompt.greedy.length);
}

for (const build of ['simd128', ...(chooseBuild() === 'relaxed' ? ['relaxed'] : [])]) {
  test(`exact arithmetic gives the reference's greedy tokens (${build})`, { skip }, async () => {
    const model = await load(pathToFileURL(path), { build, exact: true });
    assert.equal(model.info.kernelSet, build === 'simd128' ? 'wasm128' : build);
    for (const prompt of prompts.filter((p) => ['short', 'chat'].includes(p.name))) {
      const { tokens } = await collect(model.generate(Int32Array.from(prompt.ids), { maxTokens: 16 }));
      assert.deepEqual(tokens, expected(prompt).slice(0, 16), prompt.name);
    }
    model.close();
  });
}

test('8-bit activations give the same beginning, text and usage', { skip }, async () => {
  const model = await load(pathToFileURL(path));
  const short = prompts.find((p) => p.name === 'short');
  assert.deepEqual([...(await model.tokenize(short.text))], short.ids);
  const { tokens, text, finish, usage } = await collect(model.generate(short.text));
  assert.deepEqual(tokens, expected(short));
  assert.ok(short.greedy_text.startsWith(text) && text.length > 20);
  assert.equal(finish, 'stop');
  assert.equal(usage.promptTokens, short.ids.length);
  assert.equal(await model.detokenize(Int32Array.from(tokens)), text);
  console.log(
    `# ${model.info.kernelSet}: ${((usage.replyTokens - 1) / usage.decodeSeconds).toFixed(1)} tokens/s`,
  );
  model.close();
});

test('a prompt is computed behind the download, and nothing is fetched twice', { skip }, async () => {
  const server = await serveFile(path, { failures: 2 });
  const phases = new Set();
  const model = await load(server.url, {
    early: true,
    contextTokens: 512,
    onProgress: (p) => phases.add(p.phase),
  });
  const short = prompts.find((p) => p.name === 'short');
  const { tokens } = await collect(model.generate(Int32Array.from(short.ids), { maxTokens: 8 }));
  await model.ready;
  assert.deepEqual(tokens, short.greedy.slice(0, 8));
  assert.ok(phases.has('header') && phases.has('weights'));
  assert.ok(
    server.log.bytes < server.size + (8 << 20),
    `${server.log.bytes} bytes for a file of ${server.size}`,
  );
  const memory = await model.memoryBytes();
  assert.ok(memory < model.info.packedBytes + (64 << 20), `${memory} bytes of memory`);
  model.close();
  server.close();
});

test('a block of memory is a source', { skip }, async () => {
  const model = await load(readFileSync(path).buffer, { contextTokens: 64 });
  assert.equal(model.info.architecture, 'llama');
  model.close();
});

test('a server without ranges works', { skip }, async () => {
  const server = await serveFile(path, { ranges: false });
  const model = await load(server.url);
  const { tokens } = await collect(model.generate('The capital of France is', { maxTokens: 2 }));
  assert.equal(tokens.length, 2);
  model.close();
  server.close();
});

test('chat streams text, and leaving the loop or aborting stops the work', { skip }, async () => {
  const model = await load(pathToFileURL(path));
  let text = '';
  for await (const piece of model.chat([{ role: 'user', content: 'Say hello.' }], { maxTokens: 12 })) {
    text += piece;
  }
  assert.ok(text.length > 0);
  await collect(model.generate('Once upon a time', { maxTokens: 100000 }), 3);
  const controller = new AbortController();
  const began = performance.now();
  setTimeout(() => controller.abort(), 50);
  const long = prompts.find((p) => p.name === 'long');
  await assert.rejects(
    collect(model.generate(Int32Array.from(long.ids), { signal: controller.signal })),
    (error) => error instanceof SmidgenError && error.code === 'CANCELLED',
  );
  assert.ok(performance.now() - began < 3000, `${performance.now() - began} ms to abort`);
  const json = await collect(
    model.generate('A person as JSON: ', {
      maxTokens: 60,
      jsonSchema: {
        type: 'object',
        properties: { age: { type: 'integer' } },
        required: ['age'],
        additionalProperties: false,
      },
    }),
  );
  if (json.finish === 'stop') {
    assert.equal(typeof JSON.parse(json.text).age, 'number');
  }
  await assert.rejects(collect(model.generate('x', { grammar: 'root ::= (' })), (e) => e.code === 'GRAMMAR');
  model.close();
});

test('errors are named: a file that is none, an address that is not there, a server that fails', async () => {
  await assert.rejects(
    load(new TextEncoder().encode('not a model, whatever its name says')),
    (error) => error instanceof SmidgenError && error.code === 'BAD_FILE' && error.advice !== '',
  );
  const here = new URL(import.meta.url).pathname;
  const missing = await serveFile(here, { failures: 99, status: 404 });
  await assert.rejects(load(missing.url), (error) => error.code === 'NOT_FOUND');
  missing.close();
  const signal = AbortSignal.timeout(300);
  const broken = await serveFile(here, { failures: 99 });
  await assert.rejects(load(broken.url, { signal }), (error) => error.code === 'CANCELLED');
  broken.close();
});
