// Follows a subscription with graphql-ws, through lost connections: each new attempt carries the last cursor seen.
//
// In, one line: {url, token, query, variables, field, count}. Out: {event} for each event, {closed: code} whenever
// the connection was lost. Ends after `count` events.

import { createInterface } from "node:readline";
import { createClient } from "graphql-ws";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const asked = JSON.parse((await lines.next()).value);

const client = createClient({
  url: asked.url,
  connectionParams: { authorization: `Bearer ${asked.token}` },
  retryAttempts: 1000,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
  shouldRetry: () => true,
  on: { closed: (event) => say({ closed: event.code }) },
});

let left = asked.count;
const variables = { ...asked.variables };
for await (const { data, errors } of client.iterate({ query: asked.query, variables })) {
  if (errors) throw new Error(JSON.stringify(errors));
  const event = data[asked.field];
  variables.after = event.cursor; // the payload is sent again, as it is now, after a lost connection
  say({ event });
  left -= 1;
  if (left === 0) break;
}
await client.dispose();
process.exit(0);
