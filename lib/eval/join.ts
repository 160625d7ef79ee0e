import { SpctError } from "../errors.js";
import type { JudgementRecord } from "../records.js";
import type { BadRowNote, Item } from "./benchmark.js";
import type { PlacedJudgement } from "./judgements.js";
import { markupOf } from "./markup.js";

/** What evaluation keeps of an item when its texts are gone. */
export interface ItemFacts {
  id: string;
  subset: string | undefined;
  label: number | number[] | null;
  /** Characters of each response; empty where the texts are not known. */
  lengths: number[];
  /** Markdown marks in each response; as above. */
  marks: number[];
}

/** A judgement with the item it judges. `item` is there unless the judgements of later items came first. */
export interface JoinedJudgement {
  record: JudgementRecord;
  facts: ItemFacts;
  item: Item | undefined;
}

export interface JoinCounts {
  /** Items without a judgement. */
  missing: number;
  /** Judgements without an item. */
  unknown: number;
}

/**
 * Brings items and their judgements together, in the order of the judgements. Of several items with one id, the first belongs
 * to the first judgement of that id. Items that are passed over on the way to a judgement's are held without their texts until
 * theirs comes, so that nothing is held where both are in the same order. A judgement of another number of responses than its
 * item has raises BAD_RECORD; with `onBad` it is reported there and left out.
 */
export async function* joinJudgements(
  items: AsyncIterator<Item>,
  judgements: AsyncIterable<PlacedJudgement>,
  counts: JoinCounts,
  onBad?: (note: BadRowNote) => void,
): AsyncGenerator<JoinedJudgement> {
  const waiting = new Map<string, ItemFacts[]>();
  for await (const { record, file, number } of judgements) {
    const held = takeHeld(waiting, record.id);
    const item = held === undefined ? await find(record.id, items, waiting) : undefined;
    const facts = held ?? (item && factsOf(item));
    if (facts === undefined) {
      counts.unknown++;
      continue;
    }
    if (record.n !== facts.lengths.length) {
      const reason = `wrong count: ${record.n} responses were judged, the data has ${facts.lengths.length}`;
      if (onBad === undefined) throw new SpctError("BAD_RECORD", `${file}:${number}: ${reason}`);
      onBad({ file, number, reason });
      continue;
    }
    yield { record, facts, item };
  }
  for (let next = await items.next(); !next.done; next = await items.next()) counts.missing++;
  for (const held of waiting.values()) counts.missing += held.length;
}

/** Judgements with what they say about their items themselves. */
export async function* alone(judgements: AsyncIterable<PlacedJudgement>): AsyncGenerator<JoinedJudgement> {
  for await (const { record } of judgements) {
    const { id, subset, label } = record;
    yield { record, facts: { id, subset, label, lengths: [], marks: [] }, item: undefined };
  }
}

function factsOf({ id, subset, label, responses }: Item): ItemFacts {
  return {
    id,
    subset,
    label,
    lengths: responses.map(({ length }) => length),
    marks: responses.map(markupOf),
  };
}

/** Reads on to the item of this id; those on the way are held. */
async function find(
  id: string,
  items: AsyncIterator<Item>,
  waiting: Map<string, ItemFacts[]>,
): Promise<Item | undefined> {
  for (let next = await items.next(); !next.done; next = await items.next()) {
    if (next.value.id === id) return next.value;
    const facts = factsOf(next.value);
    const known = waiting.get(facts.id);
    if (known === undefined) waiting.set(facts.id, [facts]);
    else known.push(facts);
  }
  return undefined;
}

function takeHeld(waiting: Map<string, ItemFacts[]>, id: string): ItemFacts | undefined {
  const held = waiting.get(id);
  if (held?.length === 1) waiting.delete(id);
  return held?.shift();
}
