import type { Template } from "@huggingface/jinja";

/** A node of a parsed template; its fields depend on its type. */
type Node = { type: string } & Record<string, unknown>;

/** What stands for a text at a place of a template, and what for a message with one. */
interface Scope {
  texts: readonly string[];
  messages: readonly string[];
}

const whole: Scope = { texts: ["query", "reference", "principles"], messages: [] };
const lists = ["responses", "conversation"];
const places = ["index", "index0", "revindex", "revindex0", "first", "last", "length"];

/**
 * Whether a prompt template does no more with its texts than print them, ask whether there is one, and go through their lists.
 * What stands around the texts is then the same for all texts. False where that is not seen at once.
 */
export function onlyInserts(template: Template): boolean {
  return insertsInto(template.parsed.body as unknown as Node[], whole);
}

function insertsInto(body: Node[], scope: Scope): boolean {
  return body.every((node) => {
    switch (node.type) {
      case "If":
        return (
          isHarmless(node.test as Node, scope) &&
          insertsInto(node.body as Node[], scope) &&
          insertsInto(node.alternate as Node[], scope)
        );
      case "For":
        return insertsInto(node.defaultBlock as Node[], scope) && goesThrough(node, scope);
      default:
        return isHarmless(node, scope);
    }
  });
}

function goesThrough({ loopvar, iterable, body }: Node, scope: Scope): boolean {
  const { type, value } = loopvar as Node;
  if (type !== "Identifier" || value === "loop") return false;
  const name = value as string;
  const inside = body as Node[];
  const { texts, messages } = scope;
  if (isNamed(iterable, ["responses"])) return insertsInto(inside, { texts: [...texts, name], messages });
  if (isNamed(iterable, ["conversation"]))
    return insertsInto(inside, { texts, messages: [...messages, name] });
  return !reads(iterable, scope) && insertsInto(inside, scope);
}

function isHarmless(node: Node, scope: Scope): boolean {
  const isText = isNamed(node, scope.texts) || isMember(node, scope.messages, ["content"]);
  return isText || !reads(node, scope);
}

/** Whether a text may decide what comes of the node. A loop holds the items before and after. */
function reads(node: unknown, scope: Scope): boolean {
  if (node instanceof Map) return reads([...node], scope);
  if (Array.isArray(node)) return node.some((one) => reads(one, scope));
  if (typeof node !== "object" || node === null) return false;
  if (isMember(node, scope.messages, ["role"]) || isMember(node, ["loop"], places)) return false;
  return (
    isNamed(node, [...scope.texts, ...scope.messages, ...lists, "loop"]) || reads(Object.values(node), scope)
  );
}

function isNamed(node: unknown, names: readonly string[]): boolean {
  const { type, value } = node as Node;
  return type === "Identifier" && names.includes(value as string);
}

function isMember(node: unknown, names: readonly string[], properties: readonly string[]): boolean {
  const { type, object, property, computed } = node as Node;
  return (
    type === "MemberExpression" &&
    computed === false &&
    isNamed(object, names) &&
    isNamed(property, properties)
  );
}
