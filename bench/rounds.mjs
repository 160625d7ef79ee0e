// Contenders in turns: every round measures each of them once, so that a slow moment of the machine meets all.

const slowMost = 3;

/**
 * contenders: {name: (seed) => {seconds, tokens}}. A round in which somebody generated another number of tokens than
 * `tokens` (random weights can draw an end token) is measured again with another seed. A first round warms up and does not
 * count. Ends after `most` rounds, or when the next would not end before `deadline` (but not before `least` rounds).
 * Those in `slow` come last, so that the others stay close to each other, do not warm up, and only take part in the first
 * rounds: in one, and in up to three as long as the next would end in time with them.
 */
export async function inRounds(contenders, { least, most, deadline, tokens, slow = [], onMeasured }) {
  const names = Object.keys(contenders);
  const others = names.filter((name) => !slow.includes(name));
  const seconds = Object.fromEntries(names.map((name) => [name, []]));
  const longest = { withSlow: 0, without: 0 };
  const endsInTime = (kind) => performance.now() + longest[kind] <= deadline;
  let seed = 0;
  for (let round = -1; round < most; ) {
    if (round >= least && !endsInTime("without")) break;
    const withSlow =
      slow.length > 0 && (round === 0 || (round > 0 && round < slowMost && endsInTime("withSlow")));
    const inTurn = others.map((_, turn) => others[(turn + seed) % others.length]);
    const taking = withSlow ? [...inTurn, ...slow] : inTurn;
    if (round > 0 && taking.length === 0) break;
    const start = performance.now();
    const measured = {};
    for (const name of taking) {
      measured[name] = await contenders[name](seed * 1_000_000);
      onMeasured?.({ contender: name, round, ...measured[name] });
    }
    seed++;
    const kind = withSlow ? "withSlow" : "without";
    longest[kind] = Math.max(longest[kind], performance.now() - start);
    const uneven = taking.find((name) => measured[name].tokens !== tokens);
    if (uneven !== undefined) {
      if (seed > 3 * most) {
        throw new Error(
          `${uneven} generated ${measured[uneven].tokens} tokens, expected ${tokens}, again and again`,
        );
      }
      continue;
    }
    if (round >= 0) for (const name of taking) seconds[name].push(measured[name].seconds);
    round++;
  }
  return seconds;
}
