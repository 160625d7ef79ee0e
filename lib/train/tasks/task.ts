/** One judged item whose truth a checker knows. */
export interface TaskItem {
  id: string;
  query: string;
  responses: string[];
  /** Share of the weighted requirements each response meets, in [0, 1]. */
  truth: number[];
  /** Index of the best response; null when there is only one response. */
  label: number | null;
  /** What the item is about, for accuracy by kind. */
  subset: string;
}

/** A judging task with exact labels: it makes items from seeds and writes judgements a model can learn from. */
export interface Task<Item extends TaskItem = TaskItem> {
  readonly name: string;
  generate(seed: number): Item;
  /** The text a judge should answer: principles, critique and scores. Different seeds choose different principles. */
  trajectory(item: Item, seed: number): string;
}

/** Training uses seeds below this one, held-out items the seeds from it on, so that no seed is in both. */
export const heldOutSeed = 2 ** 40;
