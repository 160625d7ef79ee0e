// Where the checks on real data find it: --data <folder>, or else the one that some checkouts have beside them.
import { resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const usual = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

export const dataFolder = (given) => (given === undefined ? usual : `${resolve(given)}${sep}`);
