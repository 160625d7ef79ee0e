// A template that only inserts its texts is rendered once and filled in afterwards; what comes of it must be what Jinja makes.
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";
import { describe, expect, test } from "vitest";
import { onlyInserts } from "../../../lib/prompt/insertions.js";
import { promptVariables } from "../../../lib/prompt/reward.js";
import { PromptTemplate } from "../../../lib/prompt/template.js";
import { shippedTemplate } from "../../../lib/templates.js";
import type { Query } from "../../../lib/types.js";

const shipped = ["default", "compact", "meta"].map((name) => readFileSync(shippedTemplate(name), "utf8"));
const each = (body: string) => `{% for response in responses %}${body}{% endfor %}`;

const inserting = [
  ...shipped,
  "{{ query }}",
  "{% if reference %}[{{ reference }}]{% elif principles %}{{ principles }}{% else %}none{% endif %}",
  each("{{ loop.index }}/{{ loop.length }}{{ response }}{{ ', ' if not loop.last }}"),
  "{% for m in conversation %}{{ m.role | upper }}: {{ m.content }}{% endfor %}",
  `${each("{% if response %}{{ response }}{% else %}empty{% endif %}")}{{ hint.best if hint }}`,
  "{% for query in [1, 2] %}{{ query }}{% endfor %}",
  "{% set several = count > 1 %}{{ 'each' if several else 'the' }} {{ query }}",
];

const reading = [
  "{{ query | trim }}",
  "{{ query ~ '!' }}",
  "{% if query == 'Who?' %}asked{% endif %}",
  "{% if not reference %}none{% endif %}",
  "{% if query and reference %}both{% endif %}",
  "{{ responses | length }}{{ responses[0] }}",
  each("{{ response | length }}"),
  each("{{ loop.nextitem }}"),
  each("{{ loop['previtem'] }}"),
  "{% for r in responses if r != 'No.' %}{{ r }}{% endfor %}",
  "{% for loop in responses %}{{ loop }}{% endfor %}",
  "{% for m in conversation %}{{ m['content'] }}{{ m.content | length }}{% endfor %}",
  "{% for m in conversation %}{{ m }}{% endfor %}",
  "{% set first = query %}{{ first }}",
  "{% set query = 1 %}{{ query }}",
  "{% set shown %}{{ query }}{% endset %}{{ shown | length }}",
  "{% macro shout(text) %}{{ text | upper }}{% endmacro %}{{ shout(query) }}",
  "{% macro ask() %}{{ query }}{% endmacro %}{{ ask() | length }}",
  "{% filter upper %}{{ query }}{% endfilter %}",
  "{{ {'text': query}.text }}",
];

const queries: Query[] = [
  { query: "Who?", responses: ["Me.", "No."] },
  { query: " You? \n", responses: ["", "  text-0-end {{ query }}"], reference: "It is me." },
  { query: "Who?", responses: ["No.", "", "$& $1"], reference: "", principles: "Be brief." },
  {
    query: [
      { role: "system", content: "" },
      { role: "user", content: "Who?" },
      { role: "assistant", content: "What?" },
    ],
    responses: ["a", "b"],
    hint: { best: 1, strength: "better" },
  },
  { query: "Where?", responses: ["There."], principles: false },
];

describe.each([
  ["only inserts", inserting, true],
  ["reads texts", reading, false],
] as const)("a template that %s", (_kind, sources, expected) => {
  test.each(sources)("%j", (source) => {
    const jinja = new Template(source);
    expect(onlyInserts(jinja)).toBe(expected);
    const template = new PromptTemplate("given", source);
    const orders = (query: Query) =>
      [query.responses.map((_, index) => index), query.responses.map((_, index) => index).reverse()] as const;
    for (const query of [...queries, ...queries]) {
      for (const order of orders(query)) {
        for (const answer of ["scores", "winner"] as const) {
          const variables = promptVariables(query, order, answer);
          expect(template.render(variables)).toBe(jinja.render({ ...variables }));
        }
      }
    }
  });
});

test("more kinds of prompts than are kept come out right", () => {
  const source = each("{{ loop.index }}{{ response }}");
  const template = new PromptTemplate("given", source);
  for (const responses of [...Array(100).keys(), 3]) {
    const texts = Array.from({ length: responses + 1 }, (_, index) => `r${index}`);
    const variables = promptVariables({ query: "x", responses: texts }, [...texts.keys()], "scores");
    expect(template.render(variables)).toBe(new Template(source).render({ ...variables }));
  }
});
