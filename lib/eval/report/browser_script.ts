/** Runs on the page: filters the embedded judgements and shows them, as text only. */
export const browserScript = `
"use strict";
const entries = JSON.parse(document.getElementById("data").textContent);
const [search, outcome, found, list, more] = ["search", "outcome", "found", "entries", "more"].map((id) => document.getElementById(id));
const page = 25;
const texts = entries.map((entry) => [entry.id, entry.subset, entry.query, ...entry.responses, ...entry.samples.map((sample) => sample.text)].join("\\n").toLowerCase());
let matching = [];
function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}
function block(title, text) { return [element("h3", title), element("pre", text)]; }
function open(details, entry) {
  if (details.childElementCount > 1) return;
  if (entry.query) details.append(...block("Query", entry.query));
  entry.responses.forEach((text, index) => {
    const right = entry.correct && entry.correct.includes(index) ? ", right" : "";
    const votes = entry.votes ? ", vote " + Number(entry.votes[index].toFixed(4)) : "";
    details.append(...block("Response " + (index + 1) + right + votes, text));
  });
  entry.samples.forEach((sample, index) => {
    const scores = sample.scores ? sample.scores.join(", ") : "no scores (" + (sample.reason || "unknown") + ")";
    const meta = sample.meta === null ? "" : ", meta " + sample.meta.toFixed(3);
    const order = sample.order ? ", shown in the order " + sample.order.map((response) => response + 1).join(", ") : "";
    details.append(element("h3", "Sample " + (index + 1) + ": " + scores + meta + order));
    if (sample.text) details.append(element("pre", sample.text));
  });
  const more = entry.k - entry.samples.length;
  if (more > 0) details.append(element("p", more + " more in judgements.jsonl"));
}
function show() {
  for (const entry of matching.slice(list.childElementCount, list.childElementCount + page)) {
    const details = element("details");
    const summary = element("summary");
    summary.append(element("span", entry.outcome, "mark " + entry.outcome), element("span", entry.subset + " · " + entry.id + " · " + entry.query.slice(0, 100)));
    details.append(summary);
    details.addEventListener("toggle", () => open(details, entry));
    list.append(details);
  }
  more.hidden = list.childElementCount >= matching.length;
}
function filter() {
  const wanted = search.value.toLowerCase();
  matching = entries.filter((entry, index) => (outcome.value === "" || entry.outcome === outcome.value) && texts[index].includes(wanted));
  found.textContent = matching.length + " found";
  list.replaceChildren();
  show();
}
search.addEventListener("input", filter);
outcome.addEventListener("change", filter);
more.addEventListener("click", show);
document.querySelector("#browser form").addEventListener("submit", (event) => event.preventDefault());
filter();
`;
