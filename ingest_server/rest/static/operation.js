// One operation of the page: what it does, what it takes and answers, its samples, and the form to try it.

import { code, el, markdown, path as pathOf, tabs, verb } from "./elements.js";
import { curl, javascript, pythonHttpx } from "./samples.js";
import { resolved, schemaRows, typeOf } from "./schema.js";
import { trial } from "./trial.js";

const STYLES = [["curl", curl], ["JavaScript", javascript], ["Python", pythonHttpx]];
const chosen = { style: 0 };
const followers = new Set();

/** The article of an operation. `entry` has `path`, `method`, `operation`. */
export function operationArticle(entry, context) {
  const { path, method, operation, repeats } = entry;
  const blocks = STYLES.map(() => code(""));
  const form = trial(entry, context, (request) => STYLES.forEach(([, write], index) => blocks[index].update(write(request))));
  const refresh = () => STYLES.forEach(([, write], index) => blocks[index].update(write(form.request())));
  context.ontoken(refresh);
  refresh();
  const samples = tabs(STYLES.map(([name], index) => [name, blocks[index]]), chooseStyle);
  followers.add(samples);
  samples.choose(chosen.style);
  return el("article", { class: "operation", id: operation.operationId },
    el("div", { class: "told" },
      el("h3", {}, el("a", { href: `#${operation.operationId}`, class: "anchor" }, operation.summary)),
      el("p", { class: "route" }, verb(method), pathOf(path)),
      repeats
        ? el("p", {}, "Another way to call ", el("a", { href: `#${repeats.operationId}` }, repeats.summary), ".")
        : markdown(operation.description),
      operation["x-rpc"] ? el("p", { class: "quiet rpc" }, "RPC ", el("code", {}, operation["x-rpc"])) : null,
      parameters(operation, context.components),
      body(operation, context.components),
      responses(operation, context.components)),
    el("div", { class: "aside" }, samples,
      el("details", { class: "try" }, el("summary", {}, "Try it"), form)));
}

/** One choice of language holds for the whole page. */
function chooseStyle(index) {
  if (index === chosen.style) return;
  chosen.style = index;
  for (const each of followers) each.choose(index);
}

function parameters(operation, components) {
  const all = operation.parameters ?? [];
  if (!all.length) return null;
  return el("section", {}, el("h4", {}, "Parameters"), el("div", { class: "rows" }, all.map((parameter) => {
    const { schema } = resolved(parameter.schema, components);
    return el("div", { class: "row" },
      el("div", { class: "row-head" }, el("code", { class: "name" }, parameter.name), el("span", { class: "mark" }, parameter.in),
        el("span", { class: "type" }, typeOf(parameter.schema, components)),
        parameter.required ? el("span", { class: "mark needed" }, "required") : null,
        schema.examples ? el("span", { class: "limit" }, "such as ", el("code", {}, String(schema.examples[0]))) : null),
      markdown(parameter.description ?? ""));
  })));
}

function body(operation, components) {
  if (!operation.requestBody) return null;
  const [[type, media]] = Object.entries(operation.requestBody.content);
  const others = Object.keys(operation.requestBody.content).slice(1);
  const { schema } = resolved(media.schema, components);
  const rows = schema.properties || schema.type === "array" || schema.anyOf;
  return el("section", {},
    el("h4", {}, "Body ", el("span", { class: "type" }, typeOf(media.schema, components)),
      el("span", { class: "quiet" }, [type, ...others].join(" or "))),
    operation.requestBody.description ? markdown(operation.requestBody.description) : null,
    rows ? schemaRows(media.schema, components) : null);
}

function responses(operation, components) {
  return el("section", {}, el("h4", {}, "Answers"), Object.entries(operation.responses).map(([status, reference]) => {
    const response = resolveResponse(reference);
    const [[type, media] = []] = Object.entries(response.content ?? {});
    const types = Object.keys(response.content ?? {}).join(" or ");
    const good = status.startsWith("2");
    const head = el("summary", {}, el("span", { class: `code-${good ? "good" : "bad"}` }, status === "default" ? "other" : status),
      el("span", { class: "type" }, good && media ? plainType(media.schema, components) : codesOf(response)));
    const details = el("details", { class: "response", open: false }, head, el("div", { class: "response-body" },
      markdown(response.description), type ? el("p", { class: "quiet" }, types) : null));
    details.addEventListener("toggle", () => {
      if (details.open && media && !details.dataset.drawn && (good || status === "default")) {
        details.lastChild.append(schemaRows(streamMessage(media.schema), components));
      }
      details.dataset.drawn = "yes";
    });
    return details;
  }));
}

/** Names of the gRPC codes that a response is told by. */
function codesOf(response) {
  const names = [...response.description.matchAll(/^- `([A-Z_]+)`/gm)].map((found) => found[1]);
  return names.join(" · ") || response.description;
}

/** What a line of a stream holds. */
const streamMessage = (schema) => schema?.oneOf?.[0]?.properties?.result ?? schema;

function plainType(schema, components) {
  const message = streamMessage(schema);
  return [message === schema ? "" : "stream of ", ...typeOf(message, components).map((part) => part.textContent ?? part)].join("");
}

function resolveResponse(reference) {
  if (!reference.$ref) return reference;
  return sharedResponses.get(reference.$ref) ?? { description: "" };
}

const sharedResponses = new Map();

/** Make the shared responses known; before any article is made. */
export function shareResponses(shared) {
  for (const [name, response] of Object.entries(shared ?? {})) sharedResponses.set(`#/components/responses/${name}`, response);
}
