// Holds emulate's services for one test process and dies with it.
//
// Speaks lines of JSON with its parent. In: first the seed, then any number of {"allow_redirect": uri}.
// Out: first {service: base URL}, then {"ok": true} for each line. The end of the input ends the process, so
// nothing is left behind even when the tests are killed.

import { once } from "node:events";
import { Server } from "node:net";
import { createInterface } from "node:readline";
import { createEmulator } from "emulate";

console.log = console.error; // emulate's own chatter must not mix with our lines

const originalListen = Server.prototype.listen;
const reserved = new Map();

/** Takes a free port on the loopback address and keeps it, so that no other worker can take it first. */
async function reservePort() {
  const holder = new Server();
  originalListen.call(holder, 0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address();
  reserved.set(port, holder);
  return port;
}

// emulate listens on every interface; here it may only take over a socket we hold on the loopback address.
Server.prototype.listen = function listenOnReserved(port) {
  const holder = reserved.get(port);
  if (!holder) throw new Error(`port ${port} was not reserved`);
  return originalListen.call(this, holder);
};

async function start(service, seed) {
  const port = await reservePort();
  const baseUrl = `http://127.0.0.1:${port}`;
  await createEmulator({ service, port, baseUrl, seed });
  return baseUrl;
}

/** Adds the address to every seeded app. emulate keeps the seed's own list, so no restart is needed. */
function allowRedirect(seed, uri) {
  for (const service of Object.values(seed)) {
    const apps = [...(service.oauth_apps ?? []), ...(service.integrations ?? [])];
    for (const app of apps) app.redirect_uris.push(uri);
  }
}

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const seed = JSON.parse((await lines.next()).value);
const urls = {};
// Every part of the seed but the tokens is a service to start.
for (const service of Object.keys(seed).filter((name) => name !== "tokens")) urls[service] = await start(service, seed);
answer(urls);

for await (const line of lines) {
  allowRedirect(seed, JSON.parse(line).allow_redirect);
  answer({ ok: true });
}
process.exit(0);
