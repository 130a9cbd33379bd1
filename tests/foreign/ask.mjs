// Asks with graphql-request. In, one line: {url, token, query, variables}. Out, one line: {data} or {status, errors}.

import { createInterface } from "node:readline";
import { ClientError, GraphQLClient } from "graphql-request";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const asked = JSON.parse((await lines.next()).value);
const headers = asked.token ? { authorization: `Bearer ${asked.token}` } : {};

let answer;
try {
  answer = { data: await new GraphQLClient(asked.url, { headers }).request(asked.query, asked.variables) };
} catch (problem) {
  if (!(problem instanceof ClientError)) throw problem;
  answer = { status: problem.response.status, errors: problem.response.errors };
}
process.stdout.write(`${JSON.stringify(answer)}\n`);
process.exit(0);
