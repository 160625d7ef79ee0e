import type { JudgedItem } from "../benchmark.js";
import { type Measure, pick } from "./measure.js";

/** How far choices agree beyond chance, where chance chooses each of n responses equally often: (agreement - 1/n) / (1 - 1/n).
 * Cohen's kappa would be 0 where the right response always stands first, as many data sets have it. */
export interface Agreement {
  /** Of the vote with the label. */
  withLabel: number | null;
  /** Of two samples of one item with each other. */
  amongSamples: number | null;
}

export class AgreementMeasure implements Measure<Agreement> {
  #label = { agreed: 0, chance: 0, items: 0 };
  #samples = { agreed: 0, chance: 0, items: 0 };

  add({ n, tally, credit, samples }: JudgedItem): void {
    if (n < 2) return;
    if (credit !== null && tally.scores !== null) {
      this.#label.agreed += credit;
      this.#label.chance += 1 / n;
      this.#label.items++;
    }
    const counts = new Array<number>(n).fill(0);
    let picks = 0;
    for (const { scores } of samples) {
      const chosen = pick(scores);
      if (chosen === null) continue;
      counts[chosen]!++;
      picks++;
    }
    if (picks < 2) return;
    const pairs = counts.reduce((sum, count) => sum + count * (count - 1), 0);
    this.#samples.agreed += pairs / (picks * (picks - 1));
    this.#samples.chance += 1 / n;
    this.#samples.items++;
  }

  result(): Agreement {
    return { withLabel: beyondChance(this.#label), amongSamples: beyondChance(this.#samples) };
  }
}

function beyondChance({
  agreed,
  chance,
  items,
}: {
  agreed: number;
  chance: number;
  items: number;
}): number | null {
  return items === 0 ? null : (agreed - chance) / (items - chance);
}
