import { describe, expect, test } from "vitest";
import { loadTemplate } from "../../../lib/templates.js";
import { encodeGgufMetadata } from "../../../lib/train/gguf_metadata.js";
import { judgeVocabulary, wordGroups } from "../../../lib/train/judge_vocabulary.js";
import { compactPrompt, completionTokens, promptTokens } from "../../../lib/train/prompt_tokens.js";
import { RequirementTask } from "../../../lib/train/tasks/requirements.js";
import { Vocabulary } from "../../../lib/train/vocabulary.js";

const vocabulary = judgeVocabulary();

describe("the vocabulary", () => {
  test.each(["", "river", "Übergrößenträger 漢字 🎈", "a\u0000b\\n\n\t", "<|end|> <|user|>", " ".repeat(50)])(
    "writes and reads any text: %j",
    (text) => {
      expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
    },
  );

  test("takes the longest piece at every place", () => {
    const small = new Vocabulary(["ab", "abc", "cd", "bcd"]);
    const texts = (text: string) => small.encode(text).map((id) => small.decode([id]));
    expect(texts("abcd")).toEqual(["abc", "d"]);
    expect(texts("abbcdab")).toEqual(["ab", "bcd", "ab"]);
    expect(texts("xcdé")).toEqual(["x", "cd", "\ufffd", "\ufffd"]);
  });

  test("no text becomes a control token", () => {
    const controls = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"] as const;
    const ids = controls.map((token) => vocabulary.control(token));
    expect(ids).toEqual([256, 257, 258, 259]);
    for (const token of controls) expect(vocabulary.encode(token).some((id) => ids.includes(id))).toBe(false);
  });

  test("words of the task are single tokens, in prompts and in judgements", () => {
    const task = new RequirementTask();
    for (let seed = 0; seed < 300; seed++) {
      const item = task.generate(seed);
      const judgement = vocabulary.encode(task.trajectory(item, seed));
      expect(
        judgement
          .filter((id) => id < 256)
          .map((id) => vocabulary.decode([id]))
          .every((text) => /^[\n\d},:]$/.test(text)),
      ).toBe(true);
    }
  });

  test("forms of one word share a group", () => {
    const groups = wordGroups(vocabulary);
    const group = (piece: string) => groups[vocabulary.id(piece)!];
    expect(group(" river")).toBe(group("river"));
    expect(group("River")).toBe(group("river"));
    expect(group("lake")).not.toBe(group("river"));
    expect(groups[65]).toBe(65);
  });

  test("escapes its texts as llama.cpp reads them", () => {
    const entry = new Vocabulary(["a\\\n", "é"]).toGguf().get("tokenizer.ggml.tokens");
    const value = entry?.value as readonly string[];
    expect(value[0]).toBe("\\x00");
    expect(value[10]).toBe("\\n");
    expect(value[92]).toBe("\\\\");
    expect(value.slice(260)).toEqual(["a\\\\\\n", "\\xc3\\xa9"]);
  });
});

describe("a prompt", () => {
  test("is what the compact template writes", async () => {
    const template = await loadTemplate("compact");
    const responses = ["one line", "another"];
    const rendered = template.render({
      query: "Write.",
      conversation: [{ role: "user", content: "Write." }],
      responses,
      count: responses.length,
      wants_principles: true,
      answer: "scores",
    });
    expect(compactPrompt("Write.", responses)).toBe(rendered);
  });

  test("opens the assistant's turn, and an answer closes it", () => {
    const prompt = promptTokens(vocabulary, "Query:\nx\n");
    expect(vocabulary.decode(prompt)).toBe("<|user|>Query:\nx\n<|end|><|assistant|>");
    expect(vocabulary.decode(completionTokens(vocabulary, "Scores: \\boxed{5}"))).toBe(
      "Scores: \\boxed{5}<|end|>",
    );
  });
});

test("GGUF metadata, byte by byte", () => {
  const bytes = encodeGgufMetadata(
    new Map([
      ["a", { type: "u32", value: 7 }],
      ["b", { type: "strings", value: ["xy"] }],
      ["c", { type: "bool", value: true }],
    ]),
  );
  expect(bytes.toString("hex")).toBe(
    [
      "47475546 03000000 0000000000000000 0300000000000000",
      "0100000000000000 61 04000000 07000000",
      "0100000000000000 62 09000000 08000000 0100000000000000 0200000000000000 7879",
      "0100000000000000 63 07000000 01",
    ]
      .join("")
      .replaceAll(" ", ""),
  );
});
