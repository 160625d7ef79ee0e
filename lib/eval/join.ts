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
  /** Characters of each response. */
  lengths: number[];
  /** Markdown marks in each response. */
  marks: number[];
}

/** A judgement with the item it judges. `item` is there while both files are in the same order. */
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
 * to the first judgement of that id. While both come in the same order, nothing is held back; from the first difference on,
 * the rest of the items are held without their texts. A judgement of another number of responses than its item has raises
 * BAD_RECORD; with `onBad` it is reported there and left out.
 */
export async function* joinJudgements(
  items: AsyncIterator<Item>,
  judgements: AsyncIterable<PlacedJudgement>,
  counts: JoinCounts,
  onBad?: (note: BadRowNote) => void,
): AsyncGenerator<JoinedJudgement> {
  const waiting = new Map<string, ItemFacts[]>();
  let inOrder = true;
  for await (const { record, file, number } of judgements) {
    let joined: JoinedJudgement | undefined;
    if (inOrder) {
      const next = await items.next();
      if (!next.done && next.value.id === record.id) {
        joined = { record, facts: factsOf(next.value), item: next.value };
      } else {
        inOrder = false;
        if (!next.done) hold(waiting, factsOf(next.value));
        for (let one = next; !one.done; ) {
          one = await items.next();
          if (!one.done) hold(waiting, factsOf(one.value));
        }
      }
    }
    const facts = joined?.facts ?? waiting.get(record.id)?.shift();
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
    yield joined ?? { record, facts, item: undefined };
  }
  for (let next = await items.next(); !next.done; next = await items.next()) counts.missing++;
  for (const held of waiting.values()) counts.missing += held.length;
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

function hold(waiting: Map<string, ItemFacts[]>, facts: ItemFacts): void {
  const known = waiting.get(facts.id);
  if (known === undefined) waiting.set(facts.id, [facts]);
  else known.push(facts);
}
