/**
 * Language models in this process: `load` opens one, `model.generate` streams text. The engine runs in a
 * worker of its
 * own, so nothing here blocks the page. Errors are SmidgenError.
 */
import { SmidgenError } from './errors.js';
import { chooseBuild } from './probe.js';
import { startWorker } from './protocol.js';
import type { Build } from './probe.js';
import type { ModelInfo, Sampling, Usage } from './engine.js';
import type { Event, Operation, Operations, Port, Progress, Reply } from './protocol.js';
import type { ModelSource } from './source.js';

export { SmidgenError, chooseBuild };
export type { Build, ModelInfo, ModelSource, Progress, Sampling, Usage };

export interface LoadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Resolve as soon as the header is there: prompts are then computed behind the download. Default false. */
  early?: boolean;
  /** Room of the session; 0: what the model was trained for, at most 4096. */
  contextTokens?: number;
  /** Activations in float32: equal to the reference, slow. */
  exact?: boolean;
  /** The engine's build; by default the best that this machine can run. */
  build?: Build;
}

export interface GenerateOptions extends Sampling {
  signal?: AbortSignal;
  /** Default 512. */
  maxTokens?: number;
}

export interface Piece {
  /** -1: text that was held back at the end. */
  token: number;
  /** May be empty: a token can be half a character. */
  text: string;
}

export interface Message {
  role: string;
  content: string;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  event?: (event: Event) => void;
}

class Connection {
  #port: Port | null = null;
  #next = 1;
  readonly #pending = new Map<number, Pending>();

  async start(): Promise<void> {
    this.#port = await startWorker(
      (reply) => this.#receive(reply),
      (why) => this.close(why),
    );
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if ('event' in reply) {
      pending?.event?.(reply.event);
      return;
    }
    this.#pending.delete(reply.id);
    if ('error' in reply) {
      pending?.reject(new SmidgenError(reply.error));
    } else {
      pending?.resolve(reply.result);
    }
  }

  call<K extends Operation>(
    operation: K,
    args: Operations[K]['args'],
    signal?: AbortSignal,
    event?: (event: Event) => void,
  ): { id: number; done: Promise<Operations[K]['result']> } {
    const id = this.#next++;
    const done = new Promise<Operations[K]['result']>((resolve, reject) => {
      if (this.#port === null) {
        reject(new SmidgenError({ code: 'INVALID_ARGUMENT', message: 'the model is closed' }));
        return;
      }
      this.#pending.set(id, {
        resolve: resolve as (result: unknown) => void,
        reject,
        ...(event && { event }),
      });
      this.#port.post({ id, operation, args });
      const cancel = (): void => this.cancel(id);
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted) {
        cancel();
      }
    });
    return { id, done };
  }

  /** Keeps handing out events of a call whose reply has come. */
  follow(id: number, event: (event: Event) => void): void {
    this.#pending.set(id, { resolve: () => {}, reject: () => {}, event });
  }

  cancel(id: number): void {
    this.#port?.post({ id, operation: 'cancel' });
  }

  close(why: unknown): void {
    this.#port?.close();
    this.#port = null;
    const error = new SmidgenError({ code: 'CANCELLED', message: `the model was closed: ${String(why)}` });
    this.#pending.forEach((pending) => pending.reject(error));
    this.#pending.clear();
  }
}

export class Model {
  readonly info: ModelInfo;
  readonly #connection: Connection;
  /** Resolves when every weight has arrived. */
  readonly ready: Promise<void>;

  /** @internal */
  constructor(connection: Connection, info: ModelInfo) {
    this.#connection = connection;
    this.info = info;
    this.ready = connection.call('ready', null).done.then(() => {});
    this.ready.catch(() => {});
  }

  tokenize(
    text: string,
    options: { addSpecial?: boolean; parseSpecial?: boolean } = {},
  ): Promise<Int32Array> {
    const { addSpecial = false, parseSpecial = false } = options;
    return this.#connection.call('tokenize', { text, addSpecial, parseSpecial }).done;
  }

  detokenize(ids: Int32Array, options: { renderSpecial?: boolean } = {}): Promise<string> {
    return this.#connection.call('detokenize', { ids, renderSpecial: options.renderSpecial ?? false }).done;
  }

  /** The prompt of a conversation, by the model's own chat template. */
  renderChat(messages: Message[]): Promise<string> {
    return this.#connection.call('renderChat', { messages }).done;
  }

  /** Bytes of the engine's memory. */
  memoryBytes(): Promise<number> {
    return this.#connection.call('memory', null).done;
  }

  /**
   * Streams the continuation of a text or of token ids; the return value of the iterator says how it ended.
   * Leaving the
   * loop stops the work. Calls come one after the other.
   */
  async *generate(
    prompt: string | Int32Array,
    options: GenerateOptions = {},
  ): AsyncGenerator<Piece, { finish: 'stop' | 'length' | null; usage: Usage }, void> {
    const { signal, maxTokens = 512, ...sampling } = options;
    const ids =
      typeof prompt === 'string'
        ? await this.tokenize(prompt, { addSpecial: true, parseSpecial: true })
        : prompt;
    const queue: Piece[] = [];
    let wake: () => void = () => {};
    let isDone = false;
    const call = this.#connection.call('generate', { ids, sampling, maxTokens }, signal, (event) => {
      if ('token' in event) {
        queue.push(event);
        wake();
      }
    });
    call.done
      .then(
        () => {},
        () => {},
      )
      .finally(() => ((isDone = true), wake()));
    try {
      while (!isDone || queue.length > 0) {
        const piece = queue.shift();
        if (piece !== undefined) {
          yield piece;
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
      return await call.done;
    } finally {
      if (!isDone) {
        this.#connection.cancel(call.id);
      }
    }
  }

  /** The reply to a conversation, streamed as text. */
  async *chat(messages: Message[], options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    const ids = await this.tokenize(await this.renderChat(messages), { parseSpecial: true });
    for await (const piece of this.generate(ids, options)) {
      if (piece.text !== '') {
        yield piece.text;
      }
    }
  }

  /** Ends the worker and frees everything. */
  close(): void {
    this.#connection.close('close() was called');
  }
}

/** Opens a GGUF model from an address, a Blob or File, or a block of memory. */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const connection = new Connection();
  await connection.start();
  try {
    const { build = null, exact = false, contextTokens = 0 } = options;
    const place =
      typeof source === 'string' || source instanceof URL
        ? new URL(source, globalThis.location?.href).href
        : source;
    const event = (e: Event): void => {
      if ('progress' in e) {
        options.onProgress?.(e.progress);
      }
    };
    const call = connection.call(
      'load',
      { source: place, build, exact, contextTokens },
      options.signal,
      event,
    );
    const info = await call.done;
    connection.follow(call.id, event);
    const model = new Model(connection, info);
    if (!options.early) {
      await model.ready;
    }
    return model;
  } catch (error) {
    connection.close(error);
    throw error;
  }
}
