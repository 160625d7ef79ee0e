import type { PlainError } from "../errors.js";
import type { Completion } from "../types.js";
import type { EngineInfo, RequestUsage, SampleRequest } from "./engine.js";
import type { LocalEngineOptions } from "./local.js";

/** What the parent tells the child. `id` names a request. */
export type ToChild =
  | { kind: "load"; options: LocalEngineOptions }
  | { kind: "sample"; id: number; request: SampleRequest }
  | { kind: "tokenize"; id: number; text: string }
  | { kind: "cancel"; id: number }
  | { kind: "enough"; id: number }
  | { kind: "close" };

/** What the child tells the parent. */
export type ToParent =
  | { kind: "loaded"; info: EngineInfo }
  | { kind: "load-failed"; error: PlainError }
  | { kind: "completion"; id: number; completion: Completion }
  | { kind: "done"; id: number; result: RequestUsage | Int32Array }
  | { kind: "failed"; id: number; error: PlainError };
