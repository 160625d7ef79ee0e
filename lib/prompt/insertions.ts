import type { Template } from "@huggingface/jinja";

/** A node of a parsed template; its fields depend on its type. */
type Node = { type: string } & Record<string, unknown>;

/** What names stand for at a place of a template. */
interface Scope {
  texts: readonly string[];
  messages: readonly string[];
  lists: readonly string[];
}

const whole: Scope = {
  texts: ["query", "reference", "principles"],
  messages: [],
  lists: ["responses", "conversation"],
};
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
  if (isNamed(loopvar, ["loop"])) return false;
  const inside = body as Node[];
  const name = (loopvar as Node).value as string;
  if (isNamed(iterable, ["responses"])) {
    return isNamed(loopvar) && insertsInto(inside, { ...scope, texts: [...scope.texts, name] });
  }
  if (isNamed(iterable, ["conversation"])) {
    return isNamed(loopvar) && insertsInto(inside, { ...scope, messages: [...scope.messages, name] });
  }
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
  const { texts, messages, lists } = scope;
  return isNamed(node, [...texts, ...messages, ...lists, "loop"]) || reads(Object.values(node), scope);
}

function isNamed(node: unknown, names?: readonly string[]): boolean {
  const { type, value } = node as Node;
  return type === "Identifier" && (names === undefined || names.includes(value as string));
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
