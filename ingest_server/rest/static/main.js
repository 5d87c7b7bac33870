// Draws the page from openapi.json: list of operations, their articles, the schemas; token, theme, search.

import { el, markdown, path as pathOf, verb } from "./elements.js";
import { operationArticle, shareResponses } from "./operation.js";
import { schemaCard } from "./schema.js";

const VERBS = ["get", "put", "post", "patch", "delete", "head", "options", "trace"];
const THEMES = ["auto", "light", "dark"];
const at = (id) => document.getElementById(id);

function theme() {
  let chosen = localStorage.getItem("theme") ?? "auto";
  const apply = () => {
    document.documentElement.dataset.theme = chosen;
    at("theme").title = `Colours: ${chosen}`;
  };
  at("theme").addEventListener("click", () => {
    chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
    localStorage.setItem("theme", chosen);
    apply();
  });
  apply();
}

/** The token field. It is kept for the tab, so a reload does not lose it and another tab does not get it. */
function token() {
  const field = at("token");
  const listeners = [];
  at("access").addEventListener("submit", (event) => event.preventDefault());
  field.value = sessionStorage.getItem("token") ?? "";
  field.addEventListener("input", () => {
    sessionStorage.setItem("token", field.value);
    for (const each of listeners) each();
  });
  return { token: () => field.value.trim(), ontoken: (listener) => listeners.push(listener) };
}

function entriesOf(paths) {
  return Object.entries(paths).flatMap(([path, item]) =>
    VERBS.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method] })));
}

function grouped(entries, tags) {
  const names = [...new Set([...(tags ?? []).map((tag) => tag.name), ...entries.flatMap((each) => each.operation.tags ?? ["Other"])])];
  return names.map((name) => ({
    name, description: tags?.find((tag) => tag.name === name)?.description ?? "",
    entries: entries.filter((each) => (each.operation.tags ?? ["Other"]).includes(name)),
  })).filter((group) => group.entries.length);
}

/** Mark each further binding of an RPC, so that its text is not told again. */
function withRepeats(entries) {
  const first = new Map();
  return entries.map((entry) => {
    const rpc = entry.operation["x-rpc"];
    const repeats = rpc && first.get(rpc);
    if (rpc && !repeats) first.set(rpc, entry.operation);
    return { ...entry, repeats };
  });
}

const title = (name) => name.replace(/([a-z])([A-Z])/g, (_, end, begin) => `${end} ${begin.toLowerCase()}`);

function index(groups, schemas) {
  return [
    ...groups.map((group) => el("div", { class: "group" }, el("h2", {}, el("a", { href: `#tag/${group.name}` }, title(group.name))),
      el("ul", {}, group.entries.map(({ path, method, operation }) =>
        el("li", { "data-text": `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase() },
          el("a", { href: `#${operation.operationId}`, title: operation.summary }, verb(method), pathOf(path))))))),
    el("div", { class: "group" }, el("h2", {}, el("a", { href: "#schemas" }, "Schemas")),
      el("ul", { class: "names" }, Object.keys(schemas).map((name) =>
        el("li", { "data-text": name.toLowerCase() }, el("a", { href: `#schema/${name}` }, name))))),
  ];
}

function search() {
  const field = at("search");
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const item of document.querySelectorAll("#index li")) {
      item.hidden = !words.every((word) => item.dataset.text.includes(word));
    }
    for (const group of document.querySelectorAll("#index .group")) {
      group.hidden = words.length > 0 && !group.querySelector("li:not([hidden])");
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      field.focus();
    }
  });
}

/** Follow the address: unfold what it names and go there. */
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
  at("side").classList.remove("open");
  at("menu").setAttribute("aria-expanded", "false");
}

/** Mark the operation that is being read in the list. */
function spy() {
  const links = new Map([...document.querySelectorAll("#index a")].map((link) => [link.getAttribute("href").slice(1), link]));
  const observer = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) links.get(target.id)?.classList.toggle("here", isIntersecting);
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const article of document.querySelectorAll("article[id]")) observer.observe(article);
}

function menu() {
  at("menu").addEventListener("click", () => {
    const open = at("side").classList.toggle("open");
    at("menu").setAttribute("aria-expanded", open);
  });
}

/** Where the paths of the document begin: its server, as seen from the document. */
function baseOf(document_) {
  const place = new URL("openapi.json", location.href);
  return new URL(document_.servers?.[0]?.url ?? "/", place).href.replace(/\/$/, "");
}

function draw(document_, access) {
  const components = document_.components?.schemas ?? {};
  const context = { ...access, components, base: baseOf(document_) };
  const groups = grouped(withRepeats(entriesOf(document_.paths)), document_.tags);
  document.title = `${document_.info.title} API`;
  at("title").textContent = document_.info.title;
  at("version").textContent = document_.info.version;
  shareResponses(document_.components?.responses);
  at("index").replaceChildren(...index(groups, components));
  at("content").replaceChildren(
    el("section", { class: "intro" }, el("h1", {}, `${document_.info.title} by HTTP`), markdown(document_.info.description, "lead"),
      el("p", { class: "quiet" }, "Base ", el("code", {}, context.base))),
    ...groups.map((group) => el("section", { class: "tag", id: `tag/${group.name}` },
      el("header", {}, el("h2", {}, title(group.name)), markdown(group.description)),
      group.entries.map((entry) => operationArticle(entry, context)))),
    el("section", { class: "tag", id: "schemas" }, el("header", {}, el("h2", {}, "Schemas")),
      Object.entries(components).map(([name, schema]) => schemaCard(name, schema, components))));
}

async function main() {
  theme();
  menu();
  search();
  const access = token();
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`openapi.json answered ${response.status} ${response.statusText}`);
    draw(await response.json(), access);
    spy();
    addEventListener("hashchange", follow);
    follow();
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    at("notice").textContent = `This page could not be drawn: ${error.message}`;
  }
}

await main();
