/**
 * Owns the messages between the page and the engine's worker, and the worker itself in browsers and in
 * Node.
 */
import type { ErrorFields } from './errors.js';
import type { ModelInfo, Sampling, Usage } from './engine.js';
import type { Build } from './probe.js';
import type { ModelSource } from './source.js';

export interface Progress {
  phase: 'header' | 'weights' | 'ready';
  loadedBytes: number;
  totalBytes: number;
  bytesPerSecond: number;
}

export interface GenerateRequest {
  ids: Int32Array;
  sampling: Sampling;
  maxTokens: number;
}

export interface Operations {
  load: {
    args: { source: ModelSource; build: Build | null; exact: boolean; contextTokens: number };
    result: ModelInfo;
  };
  ready: { args: null; result: null };
  tokenize: { args: { text: string; addSpecial: boolean; parseSpecial: boolean }; result: Int32Array };
  detokenize: { args: { ids: Int32Array; renderSpecial: boolean }; result: string };
  renderChat: { args: { messages: { role: string; content: string }[] }; result: string };
  generate: { args: GenerateRequest; result: { finish: 'stop' | 'length' | null; usage: Usage } };
  memory: { args: null; result: number };
}
export type Operation = keyof Operations;

export type Request =
  { id: number; operation: Operation; args: unknown } | { id: number; operation: 'cancel' };

/** What a running call sends before it ends. */
export type Event = { progress: Progress } | { token: number; text: string };
export type Reply =
  { id: number; event: Event } | { id: number; result: unknown } | { id: number; error: ErrorFields };

export interface Port {
  post(message: unknown): void;
  close(): void;
}

/** Starts the worker; `receive` gets its replies, `fail` what ends it. */
export async function startWorker(
  receive: (reply: Reply) => void,
  fail: (why: unknown) => void,
): Promise<Port> {
  if (typeof Worker === 'undefined') {
    const { Worker: NodeWorker } = await import('node:worker_threads');
    const worker = new NodeWorker(new URL('./worker.js', import.meta.url));
    worker.on('message', receive).on('error', fail);
    return { post: (message) => worker.postMessage(message), close: () => void worker.terminate() };
  }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = (event) => receive(event.data as Reply);
  worker.onerror = (event) => fail(new Error(event.message));
  return { post: (message) => worker.postMessage(message), close: () => worker.terminate() };
}
