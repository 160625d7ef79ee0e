// Contenders in turns: every round measures each of them once, so that a slow moment of the machine meets all.

/**
 * contenders: {name: (seed) => {seconds, tokens}}. A round in which somebody generated another number of tokens than
 * `tokens` (random weights can draw an end token) is measured again with another seed. A first round warms up and does not
 * count; those in `warm` are left out of it.
 * Ends after `most` rounds, or when the next would not end before `deadline` (but not before `least` rounds).
 */
export async function inRounds(contenders, { least, most, deadline, tokens, warm = [], onMeasured }) {
  const names = Object.keys(contenders);
  const seconds = Object.fromEntries(names.map((name) => [name, []]));
  let seed = 0;
  let longest = 0;
  for (let round = -1; round < most; ) {
    const taking = round < 0 ? names.filter((name) => !warm.includes(name)) : names;
    const enough = round >= least && performance.now() + longest > deadline;
    if (enough) break;
    const start = performance.now();
    const measured = {};
    for (let turn = 0; turn < taking.length; turn++) {
      const name = taking[(turn + seed) % taking.length];
      measured[name] = await contenders[name](seed * 1_000_000);
      onMeasured?.({ contender: name, round, ...measured[name] });
    }
    seed++;
    longest = Math.max(longest, performance.now() - start);
    const uneven = taking.find((name) => measured[name].tokens !== tokens);
    if (uneven !== undefined) {
      if (seed > 3 * most) {
        throw new Error(
          `${uneven} generated ${measured[uneven].tokens} tokens, expected ${tokens}, again and again`,
        );
      }
      continue;
    }
    if (round >= 0) for (const name of names) seconds[name].push(measured[name].seconds);
    round++;
  }
  return seconds;
}
