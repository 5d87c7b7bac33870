// The form that tries an operation: parameters, body, token; sends the request and shows the answer as it comes.

import { code, el } from "./elements.js";
import { exampleOf, resolved } from "./schema.js";

const SHOWN_CHARACTERS_MAX = 200_000;
const JSON_TYPE = "application/json";

/** Make the form. `context` has `base` (URL the paths are added to), `components` and `token()`; `onchange` gets the request. */
export function trial({ path, method, operation }, context, onchange) {
  const parameters = (operation.parameters ?? []).map((parameter) => ({ parameter, input: inputFor(parameter, context) }));
  const body = bodyInput(operation.requestBody, context);
  const accept = operation["x-stream"] ? acceptInput(operation) : null;
  const request = () => requestOf({ path, method, operation, parameters, body, accept, context });
  const answer = el("div", { class: "answer", "aria-live": "polite" });
  const send = el("button", { class: "primary", type: "submit" }, "Send");
  const stop = el("button", { type: "button", hidden: true }, "Stop");
  const form = el("form", {
    class: "trial", autocomplete: "off", oninput: () => onchange(request()), onchange: () => onchange(request()),
    onsubmit: (event) => {
      event.preventDefault();
      run(request(), answer, send, stop);
    },
  }, parameters.map(({ parameter, input }) => line(parameter, input)), accept?.element, body?.element,
    el("div", { class: "buttons" }, send, stop), answer);
  form.request = request;
  return form;
}

function line(parameter, input) {
  return el("label", { class: "line" },
    el("span", { class: "line-name" }, el("code", {}, parameter.name), parameter.required ? el("i", { title: "required" }, "*") : null,
      el("span", { class: "quiet" }, parameter.in)), input);
}

function inputFor(parameter, { components }) {
  const { schema } = resolved(parameter.schema, components);
  const items = resolved(schema.items ?? {}, components).schema;
  const name = `${parameter.in}.${parameter.name}`;
  if (schema.enum) return choice(name, ["", ...schema.enum]);
  if (schema.type === "boolean") return choice(name, ["", "true", "false"]);
  if (schema.type === "array") {
    return el("textarea", { name, rows: items.enum ? 1 : 2, placeholder: items.enum ? items.enum.slice(1, 3).join("\n") : "one per line" });
  }
  if (parameter.style === "deepObject") return el("textarea", { name, rows: 1, placeholder: "key=value, one per line" });
  const hint = schema.examples?.[0] ?? schema["x-format"] ?? (schema.format === "uuid" ? "UUID" : "");
  return el("input", { name, placeholder: hint, required: parameter.required, spellcheck: "false" });
}

const choice = (name, options) => el("select", { name }, options.map((option) => el("option", {}, option)));

function acceptInput(operation) {
  const types = Object.keys(operation.responses["200"].content);
  const select = choice("accept", types);
  return { select, element: el("label", { class: "line" }, el("span", { class: "line-name" }, el("code", {}, "Accept")), select) };
}

/** The body: JSON in a text field, or a file. */
function bodyInput(requestBody, { components }) {
  if (!requestBody) return null;
  const types = Object.keys(requestBody.content);
  if (types[0] !== JSON_TYPE) return fileInput(types.filter((type) => type !== JSON_TYPE));
  const media = requestBody.content[JSON_TYPE];
  const examples = Object.values(media.examples ?? {});
  const initial = examples[0]?.value ?? exampleOf(media.schema, components);
  const text = el("textarea", { name: "body", class: "json", spellcheck: "false", value: pretty(initial), "aria-label": "Body" });
  const fit = () => (text.rows = Math.min(24, text.value.split("\n").length));
  text.addEventListener("input", fit);
  fit();
  const pick = examples.length > 1 ? el("select", {
    "aria-label": "Example",
    onchange: (event) => {
      text.value = pretty(examples[event.target.selectedIndex].value);
      fit();
    },
  }, examples.map((each) => el("option", {}, each.summary))) : null;
  const element = el("div", { class: "line body" },
    el("span", { class: "line-name" }, el("code", {}, "body"), el("span", { class: "quiet" }, "JSON"), pick), text);
  return { element, read: () => ({ kind: "json", text: text.value }) };
}

function fileInput(types) {
  const file = el("input", { type: "file", name: "file" });
  const kind = choice("content", types);
  const element = el("div", { class: "line body" }, el("span", { class: "line-name" }, el("code", {}, "body")), kind, file);
  return {
    element,
    read: () => ({ kind: kind.value.startsWith("multipart/") ? "form" : "file", file: file.files[0], name: file.files[0]?.name }),
  };
}

const pretty = (value) => JSON.stringify(value, null, 2);

function requestOf({ path, method, operation, parameters, body, accept, context }) {
  const query = [];
  const headers = [];
  let filled = path;
  for (const { parameter, input } of parameters) {
    const value = input.value.trim();
    if (parameter.in === "path") {
      filled = filled.replace(`{${parameter.name}}`, value ? encodeURIComponent(value) : `{${parameter.name}}`);
    } else if (value && parameter.in === "header") headers.push([parameter.name, value]);
    else if (value) query.push(...pairs(parameter, value));
  }
  return {
    base: context.base, path: filled, method, query, headers, token: context.token(), body: body?.read() ?? null,
    stream: Boolean(operation["x-stream"]), accept: accept ? accept.select.value : null,
  };
}

function pairs(parameter, value) {
  const lines = value.split("\n").map((each) => each.trim()).filter(Boolean);
  if (parameter.style === "deepObject") {
    return lines.map((each) => [`${parameter.name}[${each.split("=", 1)[0]}]`, each.slice(each.indexOf("=") + 1)]);
  }
  return parameter.schema.type === "array" ? lines.map((each) => [parameter.name, each]) : [[parameter.name, value]];
}

/** Send, and show what comes; a stream is shown while it runs. */
async function run(request, answer, send, stop) {
  const { urlOf } = await import("./samples.js");
  const control = new AbortController();
  const begin = performance.now();
  const shown = code("", "Copy");
  const head = el("p", { class: "status" }, "…");
  send.disabled = true;
  stop.hidden = false;
  stop.onclick = () => control.abort();
  answer.replaceChildren(head, shown);
  try {
    const response = await fetch(urlOf(request), { ...options(request), signal: control.signal });
    const took = () => `${Math.round(performance.now() - begin)} ms`;
    const told = () => head.replaceChildren(...status(response, took()));
    told();
    await show(response, shown);
    told();
  } catch (error) {
    if (error.name !== "AbortError") head.replaceChildren(el("b", { class: "bad" }, "No answer"), ` ${error.message}`);
    else head.append(" · stopped");
  } finally {
    send.disabled = false;
    stop.hidden = true;
  }
}

function options(request) {
  const headers = new Headers(request.headers);
  if (request.token) headers.set("Authorization", `Bearer ${request.token}`);
  if (request.accept) headers.set("Accept", request.accept);
  let body;
  if (request.body?.kind === "json") {
    headers.set("Content-Type", JSON_TYPE);
    body = request.body.text;
  } else if (request.body?.kind === "file") {
    headers.set("Content-Type", "application/octet-stream");
    body = request.body.file;
  } else if (request.body?.kind === "form") {
    body = new FormData();
    if (request.body.file) body.append("file", request.body.file);
  }
  return { method: request.method.toUpperCase(), headers, body, credentials: "omit", cache: "no-store" };
}

function status(response, took) {
  const id = response.headers.get("x-request-id");
  const wait = response.headers.get("retry-after");
  return [el("b", { class: response.ok ? "good" : "bad" }, `${response.status} ${response.statusText}`), ` · ${took}`,
    wait ? ` · come back after ${wait} s` : "", id ? el("span", { class: "quiet" }, ` · request ${id}`) : ""];
}

/** Show a body piece by piece; JSON that is whole is set in lines. */
async function show(response, shown) {
  const type = response.headers.get("content-type") ?? "";
  if (!/json|text|event-stream/.test(type)) {
    const blob = await response.blob();
    shown.update(`${blob.size.toLocaleString("en")} bytes of ${type || "unknown type"}`);
    const link = URL.createObjectURL(blob);
    shown.after(el("a", { href: link, download: "blob" }, "Save"));
    return;
  }
  let text = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text = (text + piece.value).slice(-SHOWN_CHARACTERS_MAX);
    shown.update(text);
  }
  try {
    shown.update(pretty(JSON.parse(text)));
  } catch {
    shown.update(text || "(no body)");
  }
}
