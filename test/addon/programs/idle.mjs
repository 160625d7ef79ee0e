// Loads a judge, judges once and leaves it open: the process must end by itself.
import { Grm } from "../../../dist/index.js";

const [model, isolation] = process.argv.slice(2);
const grm = await Grm.load({ model, template: "compact", isolation, threads: 1 });
const { samples } = await grm.judge({ query: "q", responses: ["a", "b"] }, { k: 2, maxTokens: 8 });
console.log(samples.length);
