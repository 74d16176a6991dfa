/**
 * Owns the choice of the engine's build: each instruction that a build uses is validated, nothing is
 * guessed.
 */

export type Build = 'baseline' | 'simd128' | 'relaxed';

const header: readonly number[] = [0, 97, 115, 109, 1, 0, 0, 0];
// (v128, v128, v128) -> v128 or (v128, v128) -> v128, one function, one instruction.
const three: readonly number[] = [1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0];
const two: readonly number[] = [1, 7, 1, 96, 2, 123, 123, 1, 123, 3, 2, 1, 0];
const simd128: readonly number[] = [
  1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];
const relaxedMadd: readonly number[] = [...three, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11];
const relaxedDot: readonly number[] = [...two, 10, 11, 1, 9, 0, 32, 0, 32, 1, 253, 146, 2, 11];

function validates(body: readonly number[]): boolean {
  return WebAssembly.validate(new Uint8Array([...header, ...body]));
}

/** The best build that this engine of JavaScript can run. */
export function chooseBuild(): Build {
  if (!validates(simd128)) {
    return 'baseline';
  }
  return validates(relaxedMadd) && validates(relaxedDot) ? 'relaxed' : 'simd128';
}
