import { SpctError } from "../errors.js";
import { readSafetensors } from "./safetensors.js";

/** Names under which Hugging Face's sequence classifiers keep their head. */
export const headTensors = ["score.weight", "classifier.weight"];

/**
 * A linear head of a sequence classifier with one label: a tensor [1, width] and, if there is one, the bias [1] beside it
 * (`x.weight`, `x.bias`). Throws FILE_NOT_FOUND, NOT_SAFETENSORS, HEAD_NOT_FOUND or HEAD_MISMATCH.
 */
export async function importHead(
  path: string,
  tensor: string | undefined,
  width: number,
): Promise<{ weight: Float32Array; bias: number; tensor: string }> {
  const names = tensor === undefined ? headTensors : [tensor];
  const found = await readSafetensors(path, names);
  const at = found.findIndex((one) => one !== null);
  if (at < 0) throw new SpctError("HEAD_NOT_FOUND", `Expected a tensor ${names.join(" or ")} in ${path}`);
  const { shape, values } = found[at]!;
  const name = names[at]!;
  const isRow = shape.length === 1 || (shape.length === 2 && shape[0] === 1);
  if (!isRow || shape.at(-1) !== width) {
    const what = `Expected [1, ${width}], the width of the model's states, for ${name} but received [${shape.join(", ")}]`;
    throw new SpctError("HEAD_MISMATCH", what);
  }
  const [bias] = name.endsWith(".weight")
    ? await readSafetensors(path, [name.replace(/weight$/, "bias")])
    : [];
  if (bias != null && bias.values.length !== 1) {
    throw new SpctError("HEAD_MISMATCH", `Expected one bias but received [${bias.shape.join(", ")}]`);
  }
  const head = { weight: values, bias: bias?.values[0] ?? 0, tensor: name };
  if (head.weight.every(Number.isFinite) && Number.isFinite(head.bias)) return head;
  throw new SpctError("HEAD_MISMATCH", `Expected finite numbers in ${name} of ${path}`);
}
