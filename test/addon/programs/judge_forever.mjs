// Starts a long judging, says so, then does what it is told: argument 2 is the model, argument 3 the way to end.
import { Grm } from "../../../dist/index.js";

const [model, ending] = process.argv.slice(2);
const grm = await Grm.load({ model, template: "compact", threads: 1 });
const query = { query: "q", responses: ["a", "b"] };
const judging = grm.judge(query, { k: 64, maxTokens: 4000, stopAtBox: false });
judging.catch(() => undefined);
console.log("judging");
setTimeout(() => {
  if (ending === "exit") process.exit(7);
  if (ending === "throw") throw new Error("on purpose");
  if (ending === "close") grm.close().then(() => judging.catch((error) => console.log(error.code)));
}, 100);
