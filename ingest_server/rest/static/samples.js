// Writes one request as a command line for curl, as JavaScript and as Python.

/** Quote for a POSIX shell. */
const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** Quote for Python; JSON strings are Python strings but for what lies beyond the first plane. */
const python = (text) => JSON.stringify(text);

/** The request as a URL. */
export function urlOf(request) {
  const query = request.query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
  return request.base + request.path + (query ? `?${query}` : "");
}

function compact(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

/** curl, a line per option. */
export function curl(request) {
  const lines = [`curl ${request.stream ? "-N " : ""}${request.method === "get" ? "" : `-X ${request.method.toUpperCase()} `}` +
    shell(urlOf(request))];
  for (const [name, value] of headersOf(request)) lines.push(`-H ${shell(`${name}: ${value}`)}`);
  if (request.body?.kind === "json") lines.push(`-d ${shell(compact(request.body.text))}`);
  if (request.body?.kind === "file") lines.push(`-T ${shell(request.body.name || "FILE")}`);
  if (request.body?.kind === "form") lines.push(`-F ${shell(`file=@${request.body.name || "FILE"}`)}`);
  return lines.join(" \\\n     ");
}

function headersOf(request) {
  const headers = [...request.headers];
  if (request.token) headers.push(["Authorization", `Bearer ${request.token}`]);
  if (request.accept) headers.push(["Accept", request.accept]);
  if (request.body?.kind === "json") headers.push(["Content-Type", "application/json"]);
  if (request.body?.kind === "file") headers.push(["Content-Type", "application/octet-stream"]);
  return headers;
}

/** JavaScript with fetch; a stream is read line by line as it comes. */
export function javascript(request) {
  const options = [];
  if (request.method !== "get") options.push(`method: ${JSON.stringify(request.method.toUpperCase())}`);
  const headers = headersOf(request).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  if (headers.length) options.push(`headers: {${headers.join(", ")}}`);
  if (request.body?.kind === "json") options.push(`body: JSON.stringify(${compact(request.body.text)})`);
  if (request.body?.kind === "file") options.push("body: file");
  if (request.body?.kind === "form") options.push("body: form");
  const call = `fetch(${JSON.stringify(urlOf(request))}${options.length ? `, {\n  ${options.join(",\n  ")},\n}` : ""})`;
  if (!request.stream) return `const answer = await ${call};\nconsole.log(answer.status, await answer.json());`;
  return `const answer = await ${call};\n` +
    "for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {\n  console.log(piece);\n}";
}

/** Python with httpx. */
export function pythonHttpx(request) {
  const parts = [python(urlOf(request))];
  const headers = headersOf(request).filter(([name]) => name !== "Content-Type" || request.body?.kind !== "json");
  if (headers.length) parts.push(`headers={${headers.map(([name, value]) => `${python(name)}: ${python(value)}`).join(", ")}}`);
  if (request.body?.kind === "json") parts.push(`json=${pythonValue(request.body.text)}`);
  if (request.body?.kind === "file") parts.push(`content=open(${python(request.body.name || "FILE")}, "rb")`);
  if (request.body?.kind === "form") parts.push(`files={"file": open(${python(request.body.name || "FILE")}, "rb")}`);
  if (!request.stream) {
    return `import httpx\n\nanswer = httpx.${request.method}(\n    ${parts.join(",\n    ")},\n)\nprint(answer.status_code, answer.text)`;
  }
  const method = JSON.stringify(request.method.toUpperCase());
  return `import httpx\n\nwith httpx.stream(\n    ${[method, ...parts, "timeout=None"].join(",\n    ")},\n) as answer:\n` +
    "    for line in answer.iter_lines():\n        print(line)";
}

function pythonValue(text) {
  try {
    return literal(JSON.parse(text));
  } catch {
    return text;
  }
}

function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([name, each]) => `${python(name)}: ${literal(each)}`).join(", ")}}`;
  }
  return JSON.stringify(value);
}
