import { invalidArgument } from "./errors.js";

/** Reads one value: returns it (or its default) or throws INVALID_ARGUMENT. */
export type Reader<T> = (value: unknown, name: string) => T;

export type Read<S extends Record<string, Reader<unknown>>> = { [K in keyof S]: ReturnType<S[K]> };

/** Reads an options object in one pass: unknown names are rejected, missing ones get their defaults. */
export function readOptions<S extends Record<string, Reader<unknown>>>(
  specification: S,
  given: unknown,
): Read<S> {
  const options = given ?? {};
  if (typeof options !== "object" || Array.isArray(options))
    throw invalidArgument("options", "an object", given);
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(specification, name)) {
      throw invalidArgument("options", `one of ${Object.keys(specification).join(", ")}`, name);
    }
  }
  const read: Record<string, unknown> = {};
  for (const [name, reader] of Object.entries(specification)) {
    read[name] = reader((options as Record<string, unknown>)[name], name);
  }
  return read as Read<S>;
}

export function withDefault<T>(reader: Reader<T>, value: T): Reader<T> {
  return (given, name) => (given === undefined ? value : reader(given, name));
}

export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (given, name) => (given === undefined ? undefined : reader(given, name));
}

export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (given, name) => (given === null ? null : reader(given, name));
}

export function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): Reader<number> {
  const bound =
    maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (given, name) => {
    if (typeof given !== "number" || !Number.isInteger(given) || given < minimum || given > maximum) {
      throw invalidArgument(name, `an integer ${bound}`, given);
    }
    return given;
  };
}

export function number(minimum: number, maximum = Number.POSITIVE_INFINITY): Reader<number> {
  const bound =
    maximum === Number.POSITIVE_INFINITY ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  return (given, name) => {
    if (typeof given !== "number" || !Number.isFinite(given) || given < minimum || given > maximum) {
      throw invalidArgument(name, `a finite number ${bound}`, given);
    }
    return given;
  };
}

/** In (0, 1]. */
export const share: Reader<number> = (given, name) => {
  if (typeof given !== "number" || !(given > 0 && given <= 1)) {
    throw invalidArgument(name, "a number above 0 and at most 1", given);
  }
  return given;
};

/** In (0, 1). */
export const probability: Reader<number> = (given, name) => {
  if (typeof given !== "number" || !(given > 0 && given < 1)) {
    throw invalidArgument(name, "a number above 0 and below 1", given);
  }
  return given;
};

export const flag: Reader<boolean> = (given, name) => {
  if (typeof given !== "boolean") throw invalidArgument(name, "true or false", given);
  return given;
};

export const text: Reader<string> = (given, name) => {
  if (typeof given !== "string" || given.length === 0)
    throw invalidArgument(name, "a non-empty string", given);
  return given;
};

export const callback: Reader<(...given: never[]) => void> = (given, name) => {
  if (typeof given !== "function") throw invalidArgument(name, "a function", given);
  return given as (...given: never[]) => void;
};

export const signal: Reader<AbortSignal> = (given, name) => {
  if (!(given instanceof AbortSignal)) throw invalidArgument(name, "an AbortSignal", given);
  return given;
};

export function choice<const T extends string>(...allowed: T[]): Reader<T> {
  const expected = `one of ${allowed.map((name) => JSON.stringify(name)).join(", ")}`;
  return (given, name) => {
    if (!allowed.includes(given as T)) throw invalidArgument(name, expected, given);
    return given as T;
  };
}
