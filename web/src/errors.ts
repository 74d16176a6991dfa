/** Owns the one error class: the engine's codes (include/smidgen_errors.def) with their advice. */

export interface ErrorFields {
  code: string;
  message: string;
  advice?: string;
  limit?: number;
  needed?: number;
}

/** `code` is a name of the shared list: NOT_FOUND, BAD_FILE, OUT_OF_MEMORY, NETWORK, CANCELLED, ... */
export class SmidgenError extends Error {
  readonly code: string;
  readonly advice: string;
  readonly limit: number;
  readonly needed: number;

  constructor(fields: ErrorFields, options?: { cause?: unknown }) {
    super(fields.message, options);
    this.name = 'SmidgenError';
    this.code = fields.code;
    this.advice = fields.advice ?? '';
    this.limit = fields.limit ?? 0;
    this.needed = fields.needed ?? 0;
  }
}

/** What crosses a worker's border. */
export function toFields(error: unknown): ErrorFields {
  if (error instanceof SmidgenError) {
    const { code, message, advice, limit, needed } = error;
    return { code, message, advice, limit, needed };
  }
  return {
    code: 'INTERNAL',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
