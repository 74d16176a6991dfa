/**
 * Owns where the bytes of a model come from: an address with HTTP ranges, a Blob or File, a block of
 * memory.
 */
import { SmidgenError } from './errors.js';

export type ModelSource = string | URL | Blob | ArrayBuffer | Uint8Array;

export interface ByteSource {
  readonly size: number;
  read(offset: number, size: number, signal: AbortSignal): Promise<Uint8Array>;
  close?(): Promise<void>;
}

const ATTEMPTS = 4;

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), reject(cancelled())), { once: true });
  });
}

export function cancelled(): SmidgenError {
  return new SmidgenError({ code: 'CANCELLED', message: 'the call was cancelled' });
}

function refuse(url: string, response: Response): SmidgenError {
  const code = response.status === 404 ? 'NOT_FOUND' : 'NETWORK';
  return new SmidgenError({ code, message: `${url}: the server answered ${response.status}` });
}

/** Tries again after failures of the connection and of the server (5xx), not after refusals (4xx). */
async function fetchAgain(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    let problem: SmidgenError;
    try {
      const response = await fetch(url, { headers, signal });
      if (response.ok) {
        return response;
      }
      await response.body?.cancel();
      problem = refuse(url, response);
      if (response.status < 500) {
        throw problem;
      }
    } catch (cause) {
      if (signal.aborted) {
        throw cancelled();
      }
      if (cause instanceof SmidgenError) {
        throw cause;
      }
      problem = new SmidgenError({ code: 'NETWORK', message: `${url}: ${String(cause)}` }, { cause });
    }
    if (attempt === ATTEMPTS) {
      throw problem;
    }
    await wait(250 * 2 ** attempt, signal);
  }
}

function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    read: async (offset, size) => new Uint8Array(await blob.slice(offset, offset + size).arrayBuffer()),
  };
}

function memorySource(bytes: Uint8Array): ByteSource {
  return { size: bytes.byteLength, read: async (offset, size) => bytes.subarray(offset, offset + size) };
}

/** Node alone: browsers hand files over as Blobs. */
async function fileSource(url: URL): Promise<ByteSource> {
  const { open } = await import('node:fs/promises');
  const file = await open(url).catch((cause: unknown) => {
    throw new SmidgenError({ code: 'NOT_FOUND', message: `cannot open ${url.pathname}` }, { cause });
  });
  return {
    size: (await file.stat()).size,
    read: async (offset, size) => {
      const { bytesRead, buffer } = await file.read(new Uint8Array(size), 0, size, offset);
      if (bytesRead !== size) {
        throw new SmidgenError({
          code: 'BAD_FILE',
          message: `${url.pathname} became shorter while it was read`,
        });
      }
      return buffer;
    },
    close: () => file.close(),
  };
}

/** A server that knows ranges is asked for each; one that answers with everything is read once. */
async function urlSource(url: string, signal: AbortSignal): Promise<ByteSource> {
  const first = await fetchAgain(url, { Range: 'bytes=0-0' }, signal);
  const total = /\/(\d+)$/.exec(first.headers.get('content-range') ?? '');
  if (first.status !== 206 || total === null) {
    return blobSource(await first.blob());
  }
  await first.arrayBuffer();
  const tag = first.headers.get('etag');
  const size = Number(total[1]);
  return {
    size,
    read: async (offset, count, readSignal) => {
      const range = `bytes=${offset}-${offset + count - 1}`;
      const response = await fetchAgain(url, { Range: range }, readSignal);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 206 || bytes.byteLength !== count || response.headers.get('etag') !== tag) {
        throw new SmidgenError({ code: 'NETWORK', message: `${url}: the file changed while it was read` });
      }
      return bytes;
    },
  };
}

export function openSource(source: ModelSource, signal: AbortSignal): Promise<ByteSource> {
  if (typeof source === 'string' || source instanceof URL) {
    const url = new URL(source);
    return url.protocol === 'file:' ? fileSource(url) : urlSource(url.href, signal);
  }
  if (source instanceof Blob) {
    return Promise.resolve(blobSource(source));
  }
  return Promise.resolve(memorySource(source instanceof Uint8Array ? source : new Uint8Array(source)));
}
