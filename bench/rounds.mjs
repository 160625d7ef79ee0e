// Contenders in turns: every round measures each of them once, so that a slow moment of the machine meets all.

/**
 * contenders: {name: (seed) => {seconds, tokens}}. A round in which somebody generated another number of tokens than
 * `tokens` (random weights can draw an end token) is measured again with another seed. A first round warms up and does not
 * count. Ends after `most` rounds, or when the next would not end before `deadline` (but not before `least` rounds).
 * Those in `slow` do not warm up, and only take part in the first rounds: in one, and as long as the next would end in time
 * with them.
 */
export async function inRounds(contenders, { least, most, deadline, tokens, slow = [], onMeasured }) {
  const names = Object.keys(contenders);
  const others = slow.length === 0 ? names : names.filter((name) => !slow.includes(name));
  const seconds = Object.fromEntries(names.map((name) => [name, []]));
  const longest = new Map([
    [names, 0],
    [others, 0],
  ]);
  const endsInTime = (taking) => performance.now() + longest.get(taking) <= deadline;
  let seed = 0;
  for (let round = -1; round < most; ) {
    if (round >= least && !endsInTime(others)) break;
    const taking = round === 0 || (round > 0 && endsInTime(names)) ? names : others;
    if (round > 0 && taking.length === 0) break;
    const start = performance.now();
    const measured = {};
    for (let turn = 0; turn < taking.length; turn++) {
      const name = taking[(turn + seed) % taking.length];
      measured[name] = await contenders[name](seed * 1_000_000);
      onMeasured?.({ contender: name, round, ...measured[name] });
    }
    seed++;
    longest.set(taking, Math.max(longest.get(taking), performance.now() - start));
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
