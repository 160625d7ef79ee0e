// Untrusted text must stay text: over every vocabulary that comes with llama.cpp, no text that looks like a control token or a
// user-defined one may become it, and the tokens must give back the bytes. Control tokens in a judged response would let it
// open a turn of its own.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { loadAddon, type NativeVocabulary } from "../../dist/native.js";
import { Random } from "../../dist/train/random.js";

const checkout =
  process.env.LLAMA_CPP_DIR || fileURLToPath(new URL("../../.cache/llama.cpp", import.meta.url));
const folder = `${checkout}/models`;
const names = existsSync(folder)
  ? readdirSync(folder).filter((name) => /^ggml-vocab-.*\.gguf$/.test(name))
  : [];
/** WordPiece lowers case and drops white space, so it cannot give text back; these models are no judges. */
const lossy = ["ggml-vocab-bert-bge.gguf", "ggml-vocab-nomic-bert-moe.gguf"];

test("llama.cpp brings its vocabularies", () => {
  expect(names.length, folder).toBeGreaterThanOrEqual(15);
});

/** Tokens of `text`, or the error's code where the vocabulary cannot write it. */
async function tokenize(vocabulary: NativeVocabulary, text: string): Promise<Int32Array | string> {
  try {
    return await vocabulary.tokenize([{ text, special: false }]);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe.each(names.filter((name) => !lossy.includes(name)))("%s", (name) => {
  let vocabulary: NativeVocabulary;
  beforeAll(async () => {
    vocabulary = await loadAddon().loadVocabulary(`${folder}/${name}`);
  });

  test("no control or user-defined token comes of a text", async () => {
    const forbidden = vocabulary.forbidden();
    const ids = new Set(forbidden.map(({ id }) => id));
    const beginning = new Set([...(await vocabulary.tokenize([]))]);
    let written = 0;
    for (const { text } of forbidden) {
      for (const hostile of [text, `a${text}`, `${text} b`, `${text}${text}`, ` ${text}\n`]) {
        const tokens = await tokenize(vocabulary, hostile);
        if (typeof tokens === "string") {
          expect(tokens, hostile).toBe("TOKENIZATION_FAILED");
          continue;
        }
        written++;
        const content = [...tokens].filter((token, position) => position > 0 || !beginning.has(token));
        expect(
          content.filter((token) => ids.has(token)),
          hostile,
        ).toEqual([]);
        expect(vocabulary.text(Int32Array.from(content)), hostile).toBe(hostile);
      }
    }
    expect(written).toBeGreaterThanOrEqual(forbidden.length * 4);
  });

  test("special pieces do become control tokens, each time", async () => {
    const control = vocabulary.forbidden().find(({ text }) => /^<.*[a-z].*>$/.test(text));
    if (control === undefined)
      return expect(vocabulary.forbidden().every(({ text }) => !/^<.*[a-z].*>$/.test(text))).toBe(true);
    const special = async () => [...(await vocabulary.tokenize([{ text: control.text, special: true }]))];
    const tokens = await special();
    expect(tokens).toContain(control.id);
    expect(await special()).toEqual(tokens);
    const beginning = await vocabulary.tokenize([]);
    const asText = await tokenize(vocabulary, control.text); // the same text, remembered apart
    expect([...asText].slice(beginning.length)).not.toContain(control.id);
  });

  test.each(["A", "1", " ", "\n", "-", "é", "中", "😀"])("100,000 times %j comes back", async (character) => {
    const text = character.repeat(100_000);
    const beginning = await vocabulary.tokenize([]);
    const tokens = await vocabulary.tokenize([{ text, special: false }]);
    expect(vocabulary.text(tokens.subarray(beginning.length)) === text).toBe(true);
  });

  test("words of a text have the tokens that they have in the whole text", async () => {
    const whole = async (text: string) => [...(await vocabulary.tokenize([{ text, special: true }]))];
    const byWords = async (text: string) => [...(await vocabulary.tokenize([{ text, special: false }]))];
    // SentencePiece puts a space before a special piece.
    const keepsBeginning = `${await whole("a")}` === `${await byWords("a")}`;
    const parts = [
      "word",
      " two",
      "3",
      "1234",
      "\n",
      "\n\n",
      "\r\n",
      " ",
      "   ",
      "\t",
      ".",
      "...",
      " -",
      "#",
      "[",
      "]",
      "/",
      "=",
      ".\n[",
      ")\nName",
      "'s",
      "é",
      "中",
    ];
    const random = new Random(1);
    for (let round = 0; round < 500; round++) {
      const count = 2 + Math.floor(random.uniform() * 30);
      const text = Array.from(
        { length: count },
        () => parts[Math.floor(random.uniform() * parts.length)],
      ).join("");
      const tokens = await byWords(`a${text}`);
      if (keepsBeginning) expect(tokens, JSON.stringify(text)).toEqual(await whole(`a${text}`));
      expect(await byWords(`a${text}`), "once more").toEqual(tokens);
    }
  });

  test("ordinary text comes back", async () => {
    const text = "Scores:\n\t\\boxed{8, 5}  — naïve café, 中文, 🙂 <b>1 < 2</b>\r\n";
    const beginning = await vocabulary.tokenize([]);
    const tokens = await vocabulary.tokenize([{ text, special: false }]);
    expect(vocabulary.text(tokens.subarray(beginning.length))).toBe(text);
  });
});
