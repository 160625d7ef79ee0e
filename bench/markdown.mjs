/** The page of a run: every case with its figures, spread and number of rounds, and under what load it was measured. */
export function markdownOf({ machine, date, load, threads, packing, command, cases, growth }) {
  const against = cases.filter(({ unit }) => unit === undefined);
  const others = cases.filter(({ unit }) => unit !== undefined);
  const lines = [
    "# Beside other programs",
    "",
    `Written by \`${command}\` on ${date}: ${machine}, ${threads} threads. Load average of the machine before and after the run`,
    `(what else was running; 0 is a quiet machine): ${load.map((value) => value.toFixed(1)).join(" and ")}. Random weights in the named shape; every`,
    "program decodes the same prompts to the same number of tokens, in turns. Ratios are the peer's time over ours, by rounds:",
    "median (least - most). Above 1, spct is faster.",
    "",
    `Cases with \`-packed\` multiply packed weights (${packing}), those with \`-llama.cpp-kernels\` leave products and attention to`,
    "llama.cpp, and the others the products.",
    ...(against.length > 0 ? ["", "![The ratios of this page](peers.svg)"] : []),
    "",
    "| case | shape | peer | ratio | rounds |",
    "|---|---|---|---|---|",
    ...against.map(
      ({ name, shape, peer, ...figures }) =>
        `| ${name} | ${shape} | ${peer} | ${range(figures)} | ${figures.n} |`,
    ),
    "",
    "| what | shape | of | unit | value | rounds |",
    "|---|---|---|---|---|---|",
    ...others.map(
      ({ name, shape, peer, unit, ...figures }) =>
        `| ${name} | ${shape} | ${peer} | ${unit} | ${range(figures)} | ${figures.n} |`,
    ),
  ];
  if (growth.length > 0) {
    lines.push(
      "",
      "![Seconds by what grows](growth.svg)",
      "",
      "The last column is what spct computed in a second: the products and the attention of all tokens that went through the",
      "model. Where it falls, cost grows faster than the work.",
      "",
      "| what grows | | who | seconds | rounds | Gflop/s |",
      "|---|---|---|---|---|---|",
    );
    for (const { sweep, x, contender, median, spread, n, gigaflopsPerSecond } of growth) {
      const computed = gigaflopsPerSecond === undefined ? "" : short(gigaflopsPerSecond);
      lines.push(
        `| ${sweep} | ${x} | ${contender} | ${range({ ratio: median, spread })} | ${n} | ${computed} |`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function range({ ratio, spread: [low, high] }) {
  return `${short(ratio)} (${short(low)} - ${short(high)})`;
}

function short(value) {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
