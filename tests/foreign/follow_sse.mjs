// Follows a subscription with graphql-sse in distinct connections mode, through lost connections: each new attempt
// carries the last cursor seen.
//
// In, one line: {url, token, query, variables, field, count}. Out: {event} for each event, {lost: true} whenever the
// connection was lost. Ends after `count` events.

import { createInterface } from "node:readline";
import { createClient } from "graphql-sse";

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const asked = JSON.parse((await lines.next()).value);

const client = createClient({ url: asked.url, headers: { authorization: `Bearer ${asked.token}` }, retryAttempts: 0 });

let left = asked.count;
const variables = { ...asked.variables };
while (left > 0) {
  try {
    for await (const { data, errors } of client.iterate({ query: asked.query, variables })) {
      if (errors) throw new Error(JSON.stringify(errors));
      const event = data[asked.field];
      variables.after = event.cursor;
      say({ event });
      left -= 1;
      if (left === 0) break;
    }
    if (left > 0) say({ lost: true });
  } catch (problem) {
    if (String(problem).includes("extensions")) throw problem;
    say({ lost: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
client.dispose();
process.exit(0);
