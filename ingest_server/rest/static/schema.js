// Shows JSON Schemas as rows that unfold, and makes examples of them.

import { el, inline, markdown } from "./elements.js";

const REF = "#/components/schemas/";

/** The schema that `schema` points at, with what stands beside the reference, and its name. */
export function resolved(schema, components) {
  const present = (schema?.anyOf ?? []).filter((each) => each.type !== "null");
  if (present.length === 1) {
    const { anyOf: _, ...beside } = schema;
    return resolved({ ...present[0], ...beside }, components);
  }
  if (!schema?.$ref) return { schema: schema ?? {}, name: null };
  const name = schema.$ref.slice(REF.length);
  const { $ref: _, ...beside } = schema;
  return { schema: { ...(components[name] ?? {}), ...beside }, name };
}

/** The type in words, as a list of texts and links. */
export function typeOf(schema, components) {
  const { schema: found, name } = resolved(schema, components);
  if (name) return [el("a", { href: `#schema/${name}` }, name)];
  if (found.type === "array") return ["array of ", ...typeOf(found.items ?? {}, components)];
  if (found.type === "object" && typeof found.additionalProperties === "object") {
    return ["map of ", ...typeOf(found.additionalProperties, components)];
  }
  if (found.anyOf && !found.properties) {
    return found.anyOf.flatMap((each, index) => [index ? " or " : "", ...typeOf(each, components)]);
  }
  if (found["x-format"]) return [found["x-format"]];
  const types = [found.type ?? (found.const !== undefined ? "constant" : "any")].flat().filter((each) => each !== "null");
  const word = types.includes("number") ? "number" : types.join(" or ");
  return [found.format ? `${word} · ${found.format}` : word];
}

/** Limits in words. */
function limitsOf(schema) {
  const found = [];
  const said = (text) => found.push(text);
  const int32 = schema.minimum === -(2 ** 31);
  if (schema.minimum !== undefined && schema.maximum !== undefined && !int32) {
    said(`${count(schema.minimum)} … ${count(schema.maximum)}`);
  }
  if (schema.minItems !== undefined) said(`at least ${count(schema.minItems)}`);
  if (schema.maxItems !== undefined) said(`at most ${count(schema.maxItems)}`);
  if (schema.maxProperties !== undefined) said(`at most ${count(schema.maxProperties)} pairs`);
  if (schema.maxLength !== undefined) said(`at most ${count(schema.maxLength)} characters`);
  if (schema.format === "uuid" || /\{3\}-\[0-9a-fA-F\]\{12\}/.test(schema.pattern ?? "")) {
    if (schema.format !== "uuid") said("UUID");
  } else if ((schema.pattern ?? "").includes("[0-9a-f]{64}")) said("64 hexadecimal digits");
  if (schema.default !== undefined) said(`default ${JSON.stringify(schema.default)}`);
  return found;
}

const count = (number) => number.toLocaleString("en");

/** Rows for the properties of an object schema, or of what an array or map holds. */
export function schemaRows(schema, components, seen = []) {
  const inner = content(schema.anyOf?.find((each) => each.$ref) ?? schema, components);
  const properties = Object.entries(inner.schema.properties ?? {});
  if (!properties.length) return el("p", { class: "quiet" }, inner.schema.type === "object" ? "No fields." : "");
  const groups = oneofs(inner.schema);
  return el("div", { class: "rows" }, properties.map(([name, property]) =>
    row({ name, property, components, seen, required: (inner.schema.required ?? []).includes(name), group: groups.get(name) })));
}

/** What lies within arrays and maps. */
function content(schema, components) {
  const found = resolved(schema, components);
  if (found.schema.type === "array") return content(found.schema.items ?? {}, components);
  if (found.schema.type === "object" && typeof found.schema.additionalProperties === "object" && !found.schema.properties) {
    return content(found.schema.additionalProperties, components);
  }
  return found;
}

/** Names of the other members of its oneof, by property. */
function oneofs(schema) {
  const groups = new Map();
  for (const choice of [schema, ...(schema.allOf ?? [])]) {
    const names = (choice.oneOf ?? []).flatMap((each) => each.required ?? []);
    for (const name of names) groups.set(name, names);
  }
  return groups;
}

function row({ name, property, components, seen, required, group }) {
  const found = resolved(property, components).schema;
  const inner = content(property, components);
  const marks = [
    required && el("span", { class: "mark needed" }, "required"),
    found.readOnly && el("span", { class: "mark" }, "answer only"),
    found["x-input-only"] && el("span", { class: "mark" }, "request only"),
    group && el("span", { class: "mark", title: `Only one of ${group.join(", ")}` }, "one of"),
  ];
  const limits = limitsOf(found);
  const head = el("div", { class: "row-head" },
    el("code", { class: "name" }, name), el("span", { class: "type" }, typeOf(property, components)),
    limits.map((text) => el("span", { class: "limit" }, text)), marks);
  const told = property.description ?? found.description;
  const body = el("div", { class: "row" }, head, told ? markdown(told) : null);
  if (inner.schema.enum && inner.name) body.append(values(inner.schema));
  const unfolds = Object.keys(inner.schema.properties ?? {}).length > 0;
  if (unfolds && !seen.includes(inner.name)) body.append(fold(inner, components, seen));
  return body;
}

/** The fields of a message within, drawn when they are first asked for. */
function fold(inner, components, seen) {
  const details = el("details", { class: "fold" }, el("summary", {}, `Fields of ${inner.name ?? "it"}`));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) {
      details.append(schemaRows(inner.schema, components, [...seen, inner.name]));
    }
  });
  return details;
}

function values(schema) {
  const told = schema["x-enum-descriptions"] ?? [];
  return el("details", { class: "fold" }, el("summary", {}, `${schema.enum.length} values`),
    el("dl", { class: "values" }, schema.enum.map((name, index) =>
      [el("dt", {}, el("code", {}, name)), el("dd", {}, inline(told[index] ?? ""))])));
}

/** A whole schema of the list at the end of the page. */
export function schemaCard(name, schema, components) {
  const details = el("details", { class: "card", id: `schema/${name}` }, el("summary", {}, el("code", {}, name)));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const { description, ...rest } = schema;
    details.append(el("div", { class: "card-body" },
      schema.enum ? markdown((description ?? "").split("\n\n- ")[0]) : markdown(description),
      schema.enum ? values(schema) : schemaRows(rest, components, [name])));
    if (schema.enum) details.querySelector("details").open = true;
  });
  return details;
}

/** An example value: what the schema gives, else one made of its required parts. */
export function exampleOf(schema, components, depth = 0) {
  const { schema: found } = resolved(schema, components);
  if (found.example !== undefined) return found.example;
  if (found.examples?.length) return found.examples[0];
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum[Math.min(1, found.enum.length - 1)];
  const type = [found.type].flat()[0];
  if (type === "array") return found.minItems && depth < 6 ? [exampleOf(found.items, components, depth + 1)] : [];
  if (type === "boolean") return false;
  if (type === "integer" || type === "number") return Math.max(found.minimum ?? 0, 0);
  if (type === "string") return "";
  const value = {};
  for (const name of found.required ?? []) {
    if (depth < 6) value[name] = exampleOf((found.properties ?? {})[name] ?? {}, components, depth + 1);
  }
  return value;
}
