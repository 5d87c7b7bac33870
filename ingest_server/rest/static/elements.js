// Makes the page's elements: text is always a text node, so nothing that a document or a server says becomes markup.

/** Make an element. Properties whose value is null or false are left out; `on…` are listeners; the rest are attributes. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The part of CommonMark that descriptions use: paragraphs, fenced code, lists, inline code. */
export function markdown(text, ...classes) {
  const root = el("div", { class: ["prose", ...classes].join(" ") });
  const lines = (text ?? "").split("\n");
  let block = [];
  const flush = () => {
    if (block.length) root.append(...paragraph(block));
    block = [];
  };
  for (let index = 0; index < lines.length; index++) {
    if (lines[index].startsWith("```")) {
      flush();
      const end = lines.indexOf("```", index + 1);
      const last = end < 0 ? lines.length : end;
      root.append(el("pre", {}, el("code", {}, lines.slice(index + 1, last).join("\n"))));
      index = last;
    } else if (lines[index].trim() === "") flush();
    else block.push(lines[index]);
  }
  flush();
  return root;
}

function paragraph(lines) {
  if (lines.every((line) => line.startsWith("- "))) {
    return [el("ul", {}, lines.map((line) => el("li", {}, inline(line.slice(2)))))];
  }
  return [el("p", {}, inline(lines.join(" ")))];
}

/** Text with its inline code and links to other places of this page or of the web. */
export function inline(text) {
  return text.split(/(`[^`]+`|\[[^\]]+\]\([^)\s]+\))/).map((part) => {
    if (part.startsWith("`") && part.endsWith("`") && part.length > 2) return el("code", {}, part.slice(1, -1));
    const link = /^\[([^\]]+)\]\(((?:https?:\/\/|#)[^)\s]+)\)$/.exec(part);
    return link ? el("a", { href: link[2] }, link[1]) : part;
  });
}

/** A verb of HTTP in its colour. */
export const verb = (name) => el("span", { class: `verb ${name}` }, name.toUpperCase());

/** A path whose variables stand out, and that may be broken after each part. */
export function path(text) {
  return el("span", { class: "path" }, text.split(/(\{[^}]+\})/).flatMap((part) =>
    part.startsWith("{") ? [el("em", {}, part)] : part.split(/(?<=\/)/).flatMap((piece) => [piece, el("wbr")])));
}

/** A block of code with a button that copies it. `text` may be a function: then the button asks it anew. */
export function code(text, label = "Copy") {
  const shown = el("code", {}, typeof text === "function" ? text() : text);
  const button = el("button", {
    class: "copy", type: "button",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(shown.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(shown);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = label), 1500);
    },
  }, label);
  const block = el("div", { class: "code" }, el("pre", { tabindex: "0" }, shown), button);
  block.update = (value) => (shown.textContent = value);
  return block;
}

/** Panels under a row of tabs; `entries` are [name, element] pairs. Arrow keys go from tab to tab. */
export function tabs(entries, onchange = () => {}) {
  const buttons = entries.map(([name], index) =>
    el("button", { role: "tab", type: "button", onclick: () => choose(index) }, name));
  const choose = (chosen) => {
    entries.forEach(([, panel], index) => {
      panel.hidden = index !== chosen;
      buttons[index].setAttribute("aria-selected", index === chosen);
      buttons[index].tabIndex = index === chosen ? 0 : -1;
    });
    onchange(chosen);
  };
  const row = el("div", {
    class: "tabs", role: "tablist",
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
      buttons[next].focus();
      choose(next);
    },
  }, buttons);
  choose(0);
  const whole = el("div", { class: "tabbed" }, row, entries.map(([, panel]) => panel));
  whole.choose = choose;
  return whole;
}
