/**
 * Owns the engine's worker: one model, calls in turn, weights that arrive while a prompt is already
 * computed.
 */
import { Engine, PENDING } from './engine.js';
import { toFields } from './errors.js';
import { chooseBuild } from './probe.js';
import { cancelled, openSource } from './source.js';
import type { ByteSource } from './source.js';
import type { Event, GenerateRequest, Operations, Request } from './protocol.js';

const RUN_BYTES = 4 << 20;
const FETCHES = 4;
const CHUNK_TOKENS = 16; // an abort waits for one chunk

type Emit = (event: Event) => void;
type Handlers = {
  [K in keyof Operations]: (
    args: Operations[K]['args'],
    signal: AbortSignal,
    emit: Emit,
  ) => Promise<Operations[K]['result']>;
};

let engine: Engine;
let model = 0;
let session = 0;
let missing: number[] = [];
let arrived: Promise<void> = Promise.resolve();
let announce: () => void = () => {};
let allThere: Promise<void> = Promise.resolve();

/**
 * Lets messages in: a call that is to be cancelled, or bytes that have arrived. Node would hand a port up
 * to 1000 of its
 * own messages before it looks at another, so there it is setImmediate.
 */
const turn = typeof setImmediate === 'undefined' ? new MessageChannel() : null;
function yieldTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (turn === null) {
      setImmediate(resolve);
      return;
    }
    turn.port1.onmessage = () => resolve();
    turn.port2.postMessage(null);
  });
}

function newArrival(): void {
  announce();
  arrived = new Promise((resolve) => (announce = resolve));
}

async function openModel(source: ByteSource, exact: boolean, signal: AbortSignal, emit: Emit): Promise<void> {
  const loader = engine.createLoader(source.size, exact ? 1 : 0);
  try {
    for (;;) {
      const step = engine.openLoader(loader);
      if ('model' in step) {
        model = step.model;
        return;
      }
      engine.feedLoader(loader, step.offset, await source.read(step.offset, step.size, signal));
      emit({
        progress: {
          phase: 'header',
          loadedBytes: step.offset + step.size,
          totalBytes: source.size,
          bytesPerSecond: 0,
        },
      });
    }
  } finally {
    engine.closeLoader(loader);
  }
}

/** The next pieces in the order of use that lie behind each other in the file. */
function takeRun(): { pieces: number[]; offset: number; size: number } | null {
  const first = missing.shift();
  if (first === undefined) {
    return null;
  }
  const { offset, size } = engine.piece(model, first);
  const run = { pieces: [first], offset, size };
  while (missing.length > 0) {
    const next = engine.piece(model, missing[0]!);
    if (next.offset !== run.offset + run.size || run.size + next.size > RUN_BYTES) {
      break;
    }
    run.pieces.push(missing.shift()!);
    run.size += next.size;
  }
  return run;
}

async function bringWeights(
  source: ByteSource,
  total: number,
  signal: AbortSignal,
  emit: Emit,
): Promise<void> {
  const began = performance.now();
  let loaded = 0;
  let staging = 0;
  let room = 0;
  const fetcher = async (): Promise<void> => {
    for (let run; (run = takeRun()) !== null;) {
      const bytes = await source.read(run.offset, run.size, signal);
      let at = 0;
      for (const index of run.pieces) {
        const { size } = engine.piece(model, index);
        if (size > room) {
          if (staging !== 0) {
            engine.release(staging);
          }
          staging = engine.allocate(size);
          room = size;
        }
        engine.bytes(staging, size).set(bytes.subarray(at, at + size));
        engine.feedPiece(model, index, staging, size);
        at += size;
      }
      loaded += run.size;
      newArrival();
      const bytesPerSecond = loaded / ((performance.now() - began) / 1000);
      emit({ progress: { phase: 'weights', loadedBytes: loaded, totalBytes: total, bytesPerSecond } });
    }
  };
  try {
    await Promise.all(Array.from({ length: FETCHES }, fetcher));
  } finally {
    if (staging !== 0) {
      engine.release(staging);
    }
    newArrival();
  }
}

/** Whether the step that just answered `pending` can go on; waits for bytes where it could not. */
async function waitForWeights(signal: AbortSignal): Promise<void> {
  await Promise.race([arrived, allThere]);
  if (signal.aborted) {
    throw cancelled();
  }
}

async function step<T>(signal: AbortSignal, call: () => T): Promise<T> {
  for (;;) {
    const result = call();
    await yieldTurn();
    if (signal.aborted) {
      throw cancelled();
    }
    if (result !== PENDING) {
      return result;
    }
    await waitForWeights(signal);
  }
}

const handlers: Handlers = {
  async load({ source, build, exact, contextTokens }, signal, emit) {
    engine = await Engine.create(build ?? chooseBuild());
    const bytes = await openSource(source, signal);
    await openModel(bytes, exact, signal, emit);
    session = engine.createSession(model, contextTokens, CHUNK_TOKENS);
    missing = engine.missingPieces(model, new Int32Array());
    const info = engine.info(model);
    newArrival();
    allThere = bringWeights(bytes, info.fileBytes, signal, emit).finally(() => bytes.close?.());
    allThere.catch(() => {}); // told to whoever asks: ready, or a call that waits
    return info;
  },
  async ready() {
    await allThere;
    return null;
  },
  async tokenize({ text, addSpecial, parseSpecial }) {
    return engine.tokenize(model, text, addSpecial, parseSpecial);
  },
  async detokenize({ ids, renderSpecial }) {
    return engine.detokenize(model, ids, renderSpecial);
  },
  async renderChat({ messages }) {
    return engine.renderChat(model, messages);
  },
  async memory() {
    return engine.memoryBytes;
  },
  async generate({ ids, sampling, maxTokens }: GenerateRequest, signal, emit) {
    engine.setSampling(session, sampling);
    engine.setPrompt(session, ids);
    if (missing.length > 0) {
      // what is being fetched at this moment is no longer in the list
      const wanted = new Set(missing);
      missing = engine.missingPieces(model, ids).filter((piece) => wanted.has(piece));
    }
    while ((await step(signal, () => engine.prefill(session))) > 0);
    let finish = null;
    for (let count = 0; count < maxTokens && finish === null; count++) {
      const token = await step(signal, () => engine.next(session));
      finish = engine.finish(session);
      if (token === null) {
        break;
      }
      emit({ token, text: engine.takeText(session) });
    }
    const rest = engine.takeText(session);
    if (rest !== '') {
      emit({ token: -1, text: rest });
    }
    return { finish: finish ?? 'length', usage: engine.usage(session) };
  },
};

const running = new Map<number, AbortController>();
let last: Promise<unknown> = Promise.resolve();

function serve(request: Request, post: (message: unknown) => void): void {
  const { id, operation } = request;
  if (operation === 'cancel') {
    running.get(id)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(id, controller);
  const run = async (): Promise<void> => {
    try {
      const handler = handlers[operation] as (
        args: unknown,
        signal: AbortSignal,
        emit: Emit,
      ) => Promise<unknown>;
      if (controller.signal.aborted) {
        throw cancelled();
      }
      post({ id, result: await handler(request.args, controller.signal, (event) => post({ id, event })) });
    } catch (error) {
      post({ id, error: toFields(error) });
    }
    if (operation !== 'load') {
      // loading goes on behind its reply and can be cancelled until the end
      running.delete(id);
    }
  };
  // Calls that change the session come one after the other; the others may come in between.
  if (operation === 'generate' || operation === 'load') {
    last = last.then(run);
  } else {
    void run();
  }
}

if (typeof (globalThis as { WorkerGlobalScope?: unknown }).WorkerGlobalScope === 'undefined') {
  const { parentPort } = await import('node:worker_threads');
  parentPort!.on('message', (request: Request) =>
    serve(request, (message) => parentPort!.postMessage(message)),
  );
} else {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent) => void;
    postMessage(message: unknown): void;
  };
  scope.onmessage = (event) => serve(event.data as Request, (message) => scope.postMessage(message));
}
