import { calibrate, type Trial } from "../bench/calibrate.js";
import { keepCalibration, readCalibrations } from "../calibration.js";
import { findModel } from "../models.js";
import { startProgress } from "./progress.js";
import { printable, styler, type Terminal } from "./terminal.js";

/** `spct doctor --calibrate`: measures a judge's engine options, keeps the best and says what was measured. */
export async function calibrateJudge(
  { model = "default", json = false }: { model?: string; json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const { modelPath } = await findModel(model, null);
  readCalibrations(); // a file that cannot be kept in is better known before the measuring
  const progress = startProgress(terminal, json, "Measuring");
  try {
    const { best, trials } = await calibrate(modelPath, (trial) =>
      progress.say(`Measured ${describe(trial)}`),
    );
    const { threads, batchTokens, flashAttention } = best;
    const measured = new Date().toISOString().slice(0, 10);
    const file = keepCalibration(modelPath, { threads, batchTokens, flashAttention, measured });
    progress.stop();
    terminal.print(
      json
        ? JSON.stringify({ model: modelPath, file, chosen: best, trials })
        : formatTrials(trials, best, file, terminal),
    );
  } finally {
    progress.stop();
  }
}

function formatTrials(trials: readonly Trial[], best: Trial, file: string, terminal: Terminal): string {
  const paint = styler(terminal);
  const lines = trials.map((trial) =>
    trial === best ? paint("green", `* ${describe(trial)}`) : `  ${describe(trial)}`,
  );
  return [...lines, `Kept in ${printable(file)}; SPCT_CALIBRATION=off loads without it.`].join("\n");
}

function describe({ threads, flashAttention, batchTokens, seconds }: Trial): string {
  return `${threads} threads, flash attention ${flashAttention}, ${batchTokens} tokens a step: ${seconds.toPrecision(3)} s`;
}
