// The server behind the page: CopilotKit's runtime with Mandate as its MCP server, and a person's approvals.
//
// Two tokens, and neither reaches the browser. The agent's key acts and never approves; the person's token approves.
// In a real application the second one is the token of whoever is signed in.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { Readable } from "node:stream";

import { BuiltInAgent, CopilotRuntime, createCopilotRuntimeHandler } from "@copilotkit/runtime/v2";

const { MANDATE_URL = "http://127.0.0.1:8000", MANDATE_TOKEN, MANDATE_PERSON_TOKEN, PORT = "4000" } = process.env;
const MODEL = process.env.MODEL ?? "openai/gpt-4o";
const PENDING = `{ approvals(status: PENDING) { nodes {
  id summary planHash expiresAt execution { id parameters agent { name } }
} } }`;
const DECIDE = `mutation ($input: DecideApprovalInput!) { decideApproval(input: $input) {
  approval { id status } errors { code message }
} }`;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2" };

const agent = new BuiltInAgent({
  model: MODEL,
  maxSteps: 8,
  prompt: "You act through tools. Where an answer says that a person was asked, say so and wait to be told more.",
  mcpServers: [
    {
      type: "http",
      url: `${MANDATE_URL}/mcp`,
      options: { requestInit: { headers: { Authorization: `Bearer ${MANDATE_TOKEN}` } } },
    },
  ],
});
const copilot = createCopilotRuntimeHandler({
  runtime: new CopilotRuntime({ agents: { default: agent } }),
  basePath: "/api/copilotkit",
});

async function asPerson(query, variables) {
  const answer = await fetch(`${MANDATE_URL}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${MANDATE_PERSON_TOKEN}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

async function approvals(request) {
  if (request.method === "GET") return Response.json((await asPerson(PENDING)).approvals.nodes);
  // Pages of other sites can send a form, but not this type.
  if (request.headers.get("content-type") !== "application/json") return new Response(null, { status: 415 });
  // The hash is that of the plan the person was shown: a yes is for exactly that, once.
  const { id, approve, planHash } = await request.json();
  return Response.json((await asPerson(DECIDE, { input: { id, approve, planHash } })).decideApproval);
}

async function page(path) {
  const file = normalize(path === "/" ? "/index.html" : path);
  try {
    const body = await readFile(join(import.meta.dirname, "dist", file));
    return new Response(body, { headers: { "content-type": TYPES[extname(file)] ?? "application/octet-stream" } });
  } catch {
    return new Response("Not here.", { status: 404 });
  }
}

createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url, `http://${incoming.headers.host}`);
  const hasBody = incoming.method !== "GET" && incoming.method !== "HEAD";
  const body = hasBody ? { body: Readable.toWeb(incoming), duplex: "half" } : {};
  const request = new Request(url, { method: incoming.method, headers: incoming.headers, ...body });
  let answer;
  try {
    if (url.pathname.startsWith("/api/copilotkit")) answer = await copilot(request);
    else if (url.pathname === "/api/approvals") answer = await approvals(request);
    else answer = await page(url.pathname);
  } catch (problem) {
    answer = Response.json({ error: problem.message }, { status: 502 });
  }
  outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) Readable.fromWeb(answer.body).pipe(outgoing);
  else outgoing.end();
}).listen(Number(PORT), "127.0.0.1", () => console.log(`http://127.0.0.1:${PORT}`));
