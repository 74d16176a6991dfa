/**
 * Owns one instance of the engine's module: text and numbers in and out of its memory. Synchronous; runs
 * in a worker.
 */
import type { Build } from './probe.js';
import { SmidgenError } from './errors.js';

type Call = (...args: number[]) => number;
type Exports = Record<string, Call> & { memory: WebAssembly.Memory };

export const PENDING = -1000;
const ERROR_BYTES = 504;

export interface ModelInfo {
  architecture: string;
  name: string;
  chatTemplate: string | null;
  kernelSet: string;
  parameterCount: number;
  fileBytes: number;
  packedBytes: number;
  vocabSize: number;
  layerCount: number;
  hiddenSize: number;
  contextTokens: number;
  bosToken: number;
  eosToken: number;
  threads: number;
}

export interface Sampling {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  typicalP?: number;
  repetitionPenalty?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  penaltyLastTokens?: number;
  seed?: number;
  grammar?: string;
  jsonSchema?: string | object;
  stop?: string[];
}

export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  replyTokens: number;
  prefillSeconds: number;
  decodeSeconds: number;
}

async function readModule(url: URL): Promise<WebAssembly.Module> {
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return WebAssembly.compile(new Uint8Array(await readFile(url)));
  }
  return WebAssembly.compile(await (await fetch(url)).arrayBuffer());
}

const modules: Record<Build, () => URL> = {
  baseline: () => new URL('./baseline.wasm', import.meta.url),
  simd128: () => new URL('./simd128.wasm', import.meta.url),
  relaxed: () => new URL('./relaxed.wasm', import.meta.url),
};

export class Engine {
  readonly #e: Exports;
  readonly #error: number;
  readonly #numbers: number;

  private constructor(exports: Exports) {
    this.#e = exports;
    exports['_initialize']!();
    this.#error = this.allocate(ERROR_BYTES);
    this.#numbers = this.allocate(16 * 8);
  }

  static async create(build: Build): Promise<Engine> {
    const env = { seconds: () => performance.now() / 1000, date: () => Date.now() / 1000 };
    const instance = await WebAssembly.instantiate(await readModule(modules[build]()), { env });
    return new Engine(instance.exports as Exports);
  }

  allocate(size: number): number {
    const at = this.#e['malloc']!(Math.max(size, 1)) >>> 0;
    if (at === 0) {
      throw new SmidgenError({ code: 'OUT_OF_MEMORY', message: `no memory for ${size} bytes`, needed: size });
    }
    return at;
  }

  release(at: number): void {
    this.#e['free']!(at);
  }

  get memoryBytes(): number {
    return this.#e.memory.buffer.byteLength;
  }

  bytes(at: number, size: number): Uint8Array {
    return new Uint8Array(this.#e.memory.buffer, at, size);
  }

  #text(at: number): string {
    const all = new Uint8Array(this.#e.memory.buffer);
    return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)));
  }

  #fail(): never {
    const view = new DataView(this.#e.memory.buffer, this.#error, ERROR_BYTES);
    throw new SmidgenError({
      code: this.#text(this.#e['error_name']!(view.getInt32(0, true))),
      message: this.#text(this.#error + 4),
      advice: this.#text(this.#error + 324),
      limit: Number(view.getBigUint64(488, true)),
      needed: Number(view.getBigUint64(496, true)),
    });
  }

  #check(result: number, isGood: boolean): number {
    return isGood ? result : this.#fail();
  }

  #range(): [number, number] {
    const view = new DataView(this.#e.memory.buffer, this.#numbers, 16);
    return [view.getFloat64(0, true), view.getFloat64(8, true)];
  }

  /** Runs `use` with copies of texts and id lists in the module's memory, and frees them. */
  #with<T>(items: (string | Uint8Array | Int32Array | null)[], use: (...at: number[]) => T): T {
    const places: number[] = [];
    try {
      for (const item of items) {
        if (item === null) {
          places.push(0);
          continue;
        }
        const data = typeof item === 'string' ? new TextEncoder().encode(item) : item;
        const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        const at = this.allocate(raw.byteLength + 1);
        places.push(at);
        this.bytes(at, raw.byteLength).set(raw);
        this.bytes(at, raw.byteLength + 1)[raw.byteLength] = 0;
      }
      return use(...places);
    } finally {
      places.filter((at) => at !== 0).forEach((at) => this.release(at));
    }
  }

  // ------------------------------------------------------------------------------------------------ loading

  createLoader(fileBytes: number, precision: number): number {
    const loader = this.#e['loader_create']!(fileBytes, 1, precision, this.#error);
    return this.#check(loader, loader !== 0);
  }

  /** The model, or the range that is needed next. */
  openLoader(loader: number): { model: number } | { offset: number; size: number } {
    const model = this.#e['loader_open']!(loader, this.#numbers, this.#error);
    const [offset, size] = this.#range();
    if (model === 0 && size === 0) {
      this.#fail();
    }
    return model !== 0 ? { model } : { offset, size };
  }

  feedLoader(loader: number, offset: number, bytes: Uint8Array): void {
    this.#with([bytes], (at) => {
      const ok = this.#e['loader_feed']!(loader, offset, at!, bytes.byteLength, this.#error);
      this.#check(ok, ok !== 0);
    });
  }

  closeLoader(loader: number): void {
    this.#e['loader_close']!(loader);
  }

  missingPieces(model: number, ids: Int32Array): number[] {
    return this.#with([ids], (at) => {
      const count = this.#e['model_missing']!(model, at!, ids.length, 0, 0);
      const list = this.allocate(8 * count);
      this.#e['model_missing']!(model, at!, ids.length, list, count);
      const pieces = Array.from(new BigInt64Array(this.#e.memory.buffer, list, count), Number);
      this.release(list);
      return pieces;
    });
  }

  piece(model: number, index: number): { offset: number; size: number } {
    this.#e['model_piece']!(model, index, this.#numbers);
    const [offset, size] = this.#range();
    return { offset, size };
  }

  feedPiece(model: number, index: number, at: number, size: number): void {
    const ok = this.#e['model_feed']!(model, index, at, size, this.#error);
    this.#check(ok, ok !== 0);
  }

  // -------------------------------------------------------------------------------------------------- model

  info(model: number): ModelInfo {
    const texts = this.allocate(16);
    this.#e['model_info']!(model, this.#numbers, texts);
    const n = new Float64Array(this.#e.memory.buffer, this.#numbers, 14);
    const t = new Uint32Array(this.#e.memory.buffer, texts, 4);
    const info: ModelInfo = {
      architecture: this.#text(t[0]!),
      name: this.#text(t[1]!),
      chatTemplate: t[2] ? this.#text(t[2]) : null,
      kernelSet: this.#text(t[3]!),
      parameterCount: n[0]!,
      fileBytes: n[1]!,
      packedBytes: n[2]!,
      vocabSize: n[3]!,
      layerCount: n[4]!,
      hiddenSize: n[5]!,
      contextTokens: n[9]!,
      bosToken: n[10]!,
      eosToken: n[11]!,
      threads: n[13]!,
    };
    this.release(texts);
    return info;
  }

  tokenize(model: number, text: string, addSpecial: boolean, parseSpecial: boolean): Int32Array {
    const encoded = new TextEncoder().encode(text);
    return this.#with([encoded], (at) => {
      const call = (ids: number, room: number): number => {
        const count = this.#e['tokenize']!(
          model,
          at!,
          encoded.length,
          +addSpecial,
          +parseSpecial,
          ids,
          room,
          this.#error,
        );
        return this.#check(count, count >= 0);
      };
      const room = call(0, 0);
      const ids = this.allocate(4 * room);
      call(ids, room);
      const result = new Int32Array(this.#e.memory.buffer, ids, room).slice();
      this.release(ids);
      return result;
    });
  }

  /** Two calls of a function that writes text: for its size, and with room for it. */
  #written(call: (text: number, room: number) => number): string {
    const size = call(0, 0);
    this.#check(size, size >= 0);
    const at = this.allocate(size);
    call(at, size);
    const text = new TextDecoder().decode(this.bytes(at, size).slice());
    this.release(at);
    return text;
  }

  detokenize(model: number, ids: Int32Array, renderSpecial: boolean): string {
    return this.#with([ids], (at) =>
      this.#written((text, room) =>
        this.#e['detokenize']!(model, at!, ids.length, +renderSpecial, text, room, this.#error),
      ),
    );
  }

  renderChat(model: number, messages: { role: string; content: string }[]): string {
    return this.#with(
      messages.flatMap((m) => [m.role, m.content]),
      (...at) =>
        this.#with([Int32Array.from(at)], (list) =>
          this.#written((text, room) =>
            this.#e['render_chat']!(model, 0, list!, messages.length, 1, text, room, this.#error),
          ),
        ),
    );
  }

  // ----------------------------------------------------------------------------------------------- sessions

  createSession(model: number, contextTokens: number, chunkTokens: number): number {
    const session = this.#e['session_create']!(model, contextTokens, 0, 0, 0, chunkTokens, this.#error);
    return this.#check(session, session !== 0);
  }

  closeSession(session: number): void {
    this.#e['session_close']!(session);
  }

  setSampling(session: number, s: Sampling): void {
    const schema = typeof s.jsonSchema === 'object' ? JSON.stringify(s.jsonSchema) : (s.jsonSchema ?? null);
    const values = [
      s.temperature ?? 0,
      s.topK ?? 0,
      s.topP ?? 1,
      s.minP ?? 0,
      s.typicalP ?? 1,
      s.repetitionPenalty ?? 1,
      s.presencePenalty ?? 0,
      s.frequencyPenalty ?? 0,
      s.penaltyLastTokens ?? 0,
      s.seed ?? 0,
      0,
    ];
    const stop = s.stop ?? [];
    this.#with([s.grammar ?? null, schema, ...stop], (grammar, schemaAt, ...stops) =>
      this.#with([Int32Array.of(grammar!, schemaAt!), Int32Array.from(stops)], (texts, stopList) => {
        new Float64Array(this.#e.memory.buffer, this.#numbers, values.length).set(values);
        const ok = this.#e['session_set_sampling']!(
          session,
          this.#numbers,
          texts!,
          stopList!,
          stops.length,
          0,
          0,
          this.#error,
        );
        this.#check(ok, ok !== 0);
      }),
    );
  }

  setPrompt(session: number, ids: Int32Array): void {
    this.#with([ids], (at) => {
      const reused = this.#e['session_set_prompt']!(session, at!, ids.length, this.#error);
      this.#check(reused, reused >= 0);
    });
  }

  /** Queued tokens left, or PENDING. */
  prefill(session: number): number {
    const left = this.#e['session_prefill']!(session, this.#error);
    return this.#check(left, left >= 0 || left === PENDING);
  }

  /** The next token's id, null when the reply is complete, or PENDING. */
  next(session: number): number | null {
    const count = this.#e['session_next']!(session, this.#numbers, 1, this.#error);
    this.#check(count, count >= 0 || count === PENDING);
    const id = new Int32Array(this.#e.memory.buffer, this.#numbers, 1)[0]!;
    return count === 0 ? null : count === PENDING ? PENDING : id;
  }

  /** Text that became certain. */
  takeText(session: number): string {
    const room = 4096;
    const at = this.allocate(room);
    let text = '';
    for (let size; (size = this.#e['session_text']!(session, at, room)) > 0;) {
      text += new TextDecoder().decode(this.bytes(at, size).slice());
    }
    this.release(at);
    return text;
  }

  finish(session: number): 'stop' | 'length' | null {
    return ([null, 'stop', 'length'] as const)[this.#e['session_finish']!(session)] ?? null;
  }

  usage(session: number): Usage {
    this.#e['session_usage']!(session, this.#numbers);
    const n = new Float64Array(this.#e.memory.buffer, this.#numbers, 5);
    return {
      promptTokens: n[0]!,
      cachedTokens: n[1]!,
      replyTokens: n[2]!,
      prefillSeconds: n[3]!,
      decodeSeconds: n[4]!,
    };
  }
}
