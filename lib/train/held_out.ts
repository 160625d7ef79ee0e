import { type RequirementItem, type RequirementOptions, RequirementTask } from "./tasks/requirements.js";
import { heldOutSeed } from "./tasks/task.js";

/** `count` held-out items with the given numbers of responses; the best one stands everywhere equally often. */
export function heldOutItems(
  count: number,
  responseCounts: RequirementOptions["responseCounts"] = [0, 1, 0, 0],
  first = 0,
): RequirementItem[] {
  const task = new RequirementTask({ responseCounts });
  return Array.from({ length: count }, (_, index) => task.generate(heldOutSeed + first + index));
}
