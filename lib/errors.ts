/** Stable codes of every error that this package raises. Codes of the native core pass through unchanged. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "MODEL_NOT_FOUND"
  | "NOT_A_GGUF"
  | "MODEL_LOAD_FAILED"
  | "HEAD_MISMATCH"
  | "CONTEXT_OVERFLOW"
  | "OUT_OF_MEMORY"
  | "NO_CHAT_TEMPLATE"
  | "BAD_TEMPLATE"
  | "BAD_RECORD"
  | "FILE_NOT_FOUND"
  | "ADDON_MISSING"
  | "CANCELLED"
  | "CLOSED"
  | "ENGINE_FAILURE"
  | "ENGINE_DIED"
  | (string & {});

/** The one error class. `code` is for programs, `message` for people, `cause` is what lay below. */
export class SpctError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "SpctError";
    this.code = code;
  }

  /** An error that carries a code already keeps it; anything else gets `code`. */
  static from(error: unknown, code: ErrorCode): SpctError {
    if (error instanceof SpctError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new SpctError(codeOf(error) ?? code, message, { cause: error });
  }

  /** A failure of this package, its native core or the system; undefined for anything else, which is a defect. */
  static known(error: unknown): SpctError | undefined {
    const code = codeOf(error);
    return code === undefined || code.startsWith("ERR_") ? undefined : SpctError.from(error, code);
  }
}

/** What crosses a process boundary in place of an error. */
export interface PlainError {
  code: ErrorCode;
  message: string;
}

export function toPlainError(error: unknown): PlainError {
  const { code, message } = SpctError.from(error, "ENGINE_FAILURE");
  return { code, message };
}

export function invalidArgument(name: string, expected: string, received: unknown): SpctError {
  return new SpctError(
    "INVALID_ARGUMENT",
    `Expected ${expected} for ${name} but received ${describe(received)}`,
  );
}

export function cancelled(signal: AbortSignal): SpctError {
  return new SpctError("CANCELLED", "The judging was cancelled", { cause: signal.reason });
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function describe(value: unknown): string {
  if (typeof value === "string")
    return value.length > 40 ? `a string of ${value.length} characters` : JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of ${value.length}`;
  return typeof value === "function"
    ? "a function"
    : `an object of type ${value.constructor?.name ?? "Object"}`;
}
