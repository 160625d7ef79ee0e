import { Buffer } from "node:buffer";
import type { GgufValue } from "./gguf_metadata.js";

/** Chat marks of the default judge. They are control tokens: text that looks like them stays text. */
export const controlTokens = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"] as const;
export type ControlToken = (typeof controlTokens)[number];

export const chatTemplate =
  "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|>{% endif %}";

/**
 * A vocabulary of pieces of text, tokenized by the greedy longest match over bytes that llama.cpp calls "rwkv". Ids
 * 0-255 are the single bytes, so that any text can be written; then come the control tokens, then the pieces.
 */
export class Vocabulary {
  readonly pieces: readonly string[];
  readonly #ids = new Map<string, number>();
  readonly #longest: number;

  constructor(pieces: Iterable<string>) {
    const known = new Set<string>();
    for (const piece of pieces) if (Buffer.byteLength(piece) > 1) known.add(piece);
    this.pieces = [...known];
    for (let byte = 0; byte < 256; byte++) this.#ids.set(String.fromCharCode(byte), byte);
    const first = 256 + controlTokens.length;
    for (const [index, piece] of this.pieces.entries()) this.#ids.set(toLatin1(piece), first + index);
    this.#longest = Math.max(1, ...this.pieces.map((piece) => Buffer.byteLength(piece)));
  }

  get size(): number {
    return 256 + controlTokens.length + this.pieces.length;
  }

  control(token: ControlToken): number {
    return 256 + controlTokens.indexOf(token);
  }

  id(piece: string): number | undefined {
    return this.#ids.get(toLatin1(piece));
  }

  encode(text: string): number[] {
    const bytes = toLatin1(text);
    const ids: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      let length = Math.min(this.#longest, bytes.length - at);
      let id = this.#ids.get(bytes.slice(at, at + length));
      while (id === undefined) id = this.#ids.get(bytes.slice(at, at + --length));
      ids.push(id);
      at += length;
    }
    return ids;
  }

  decode(ids: Iterable<number>): string {
    const parts: Buffer[] = [];
    for (const id of ids) parts.push(this.#bytes(id));
    return Buffer.concat(parts).toString("utf8");
  }

  /** What a GGUF file says about this vocabulary, the chat template included. */
  toGguf(): Map<string, GgufValue> {
    const types = { normal: 1, control: 3, byte: 6 };
    const ids = Array.from({ length: this.size }, (_, id) => id);
    const end = this.control("<|end|>");
    return new Map<string, GgufValue>([
      ["general.architecture", { type: "string", value: "llama" }],
      ["tokenizer.ggml.model", { type: "string", value: "rwkv" }],
      ["tokenizer.ggml.tokens", { type: "strings", value: ids.map((id) => escapeBytes(this.#bytes(id))) }],
      [
        "tokenizer.ggml.token_type",
        {
          type: "integers",
          value: ids.map((id) =>
            id < 256 ? types.byte : id < 256 + controlTokens.length ? types.control : types.normal,
          ),
        },
      ],
      ["tokenizer.ggml.eos_token_id", { type: "u32", value: end }],
      ["tokenizer.ggml.eot_token_id", { type: "u32", value: end }],
      ["tokenizer.ggml.add_bos_token", { type: "bool", value: false }],
      ["tokenizer.ggml.add_eos_token", { type: "bool", value: false }],
      ["tokenizer.chat_template", { type: "string", value: chatTemplate }],
    ]);
  }

  #bytes(id: number): Buffer {
    if (!Number.isInteger(id) || id < 0 || id >= this.size) {
      throw new RangeError(`Expected a token id below ${this.size} but received ${id}`);
    }
    if (id < 256) return Buffer.from([id]);
    const text =
      id < 256 + controlTokens.length
        ? controlTokens[id - 256]
        : this.pieces[id - 256 - controlTokens.length];
    return Buffer.from(text as string, "utf8");
  }
}

function toLatin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function escapeBytes(bytes: Buffer): string {
  let text = "";
  for (const byte of bytes) {
    if (byte === 0x5c) text += "\\\\";
    else if (byte === 0x0a) text += "\\n";
    else if (byte < 0x20 || byte > 0x7e) text += `\\x${byte.toString(16).padStart(2, "0")}`;
    else text += String.fromCharCode(byte);
  }
  return text;
}
