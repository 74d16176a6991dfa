// Copies the modules that `make wasm` built beside the compiled TypeScript.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';

mkdirSync(new URL('../build/', import.meta.url), { recursive: true });
for (const name of ['baseline', 'simd128', 'relaxed']) {
  const from = new URL(`../../build/wasm/${name}.wasm`, import.meta.url);
  if (!existsSync(from)) {
    throw new Error(`${from.pathname} is missing: run make wasm`);
  }
  copyFileSync(from, new URL(`../build/${name}.wasm`, import.meta.url));
}
