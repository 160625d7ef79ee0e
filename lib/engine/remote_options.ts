import { invalidArgument } from "../errors.js";
import {
  integer,
  number,
  optional,
  type Read,
  type Reader,
  readOptions,
  text,
  withDefault,
} from "../options.js";

export interface RemoteEngineOptions {
  /** Base of the interface, with or without its `/v1`. */
  url: string;
  /** As the server names it. */
  model: string;
  /** Sent as a bearer token and written nowhere. */
  apiKey?: string;
  /** Requests at the same time. Default 16. */
  parallel?: number;
  /** For one request; then it is tried again. Default 600. */
  timeoutSeconds?: number;
  /** How often a request is tried again after a status of 429 or 5xx, a timeout or a broken connection. Default 5. */
  retries?: number;
  /** Before the first of these; doubles each time, up to a minute, unless the server names a time. Default 1. */
  retrySeconds?: number;
}

const address: Reader<string> = (given, name) => {
  const url = text(given, name);
  const { protocol, username, password } = URL.canParse(url) ? new URL(url) : { protocol: "" };
  if (!/^https?:$/.test(protocol) || username || password)
    throw invalidArgument(name, "an http address without a password in it", url);
  return url;
};

/** What a header may hold. The value is not shown, as it is a secret. */
const key: Reader<string> = (given, name) => {
  if (typeof given === "string" && /^[\x21-\x7e]+$/.test(given)) return given;
  throw invalidArgument(
    name,
    "letters, digits and signs",
    typeof given === "string" ? "other characters" : given,
  );
};

const readers = {
  url: address,
  model: text,
  apiKey: optional(key),
  parallel: withDefault(integer(1), 16),
  timeoutSeconds: withDefault(number(0.001, 86_400), 600),
  retries: withDefault(integer(0), 5),
  retrySeconds: withDefault(number(0), 1),
};

export function readRemoteOptions(given: unknown): Read<typeof readers> {
  return readOptions(readers, given);
}
