import { beforeEach, describe, expect, test } from "vitest";
import { findModel } from "../../lib/models.js";
import { temporaryFolder } from "./eval/temporary_folder.js";

const folder = temporaryFolder();
let runs = 0;
let beside: (...names: string[]) => void;
let path: (name: string) => string;
beforeEach(() => {
  const place = `judge-${runs++}`;
  path = (name) => folder.path(`${place}/${name}`);
  beside = (...names) => {
    for (const name of names) folder.write(`${place}/${name}`, "");
  };
  beside("judge.gguf");
});

describe("the meta RM of a judge", () => {
  test("is a separate one where it is whole, else the head", async () => {
    expect(await findModel(path("judge.gguf"), undefined)).toMatchObject({ headPath: undefined });
    beside("judge.meta.gguf");
    const alone = await findModel(path("judge.gguf"), undefined);
    expect(alone).toMatchObject({ headPath: undefined, metaRm: undefined });
    beside("judge.head.gguf");
    const fused = await findModel(path("judge.gguf"), undefined);
    expect(fused).toMatchObject({ headPath: path("judge.head.gguf"), metaRm: undefined });
    beside("judge.meta.head.gguf");
    const separate = await findModel(path("judge.gguf"), undefined);
    expect(separate).toMatchObject({
      headPath: undefined,
      metaRm: { modelPath: path("judge.meta.gguf"), headPath: path("judge.meta.head.gguf") },
    });
  });

  test("that is asked for must be whole", async () => {
    beside("judge.meta.gguf", "judge.head.gguf");
    await expect(findModel(path("judge.gguf"), "separate")).rejects.toMatchObject({ code: "HEAD_NOT_FOUND" });
  });
});
