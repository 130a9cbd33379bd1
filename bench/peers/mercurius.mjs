// mercurius, as its documentation sets it up, with its in-process pub/sub fed by one Redis subscription.
//
//     node mercurius.mjs PORT REDIS_URL CATALOGUE
//
// CATALOGUE is the gateway's own answer, whose `data` the catalogue's resolvers hand out. The JIT is on.

import { readFileSync } from "node:fs";
import Fastify from "fastify";
import mercurius from "mercurius";
import Redis from "ioredis";

const [port, redisUrl, catalogue] = process.argv.slice(2);
const { data } = catalogue ? JSON.parse(readFileSync(catalogue)) : {};

const schema = `
  scalar JSON
  type Execution { id: ID! status: String! }
  type ExecutionEvent { cursor: String! status: String! occurredAt: String! execution: Execution! }
  type Action {
    id: ID! slug: String! title: String! description: String! effect: String! isIdempotent: Boolean!
    requiredScopes: [String!]! parametersSchema: JSON! resultSchema: JSON digest: String!
  }
  type Actions { totalCount: Int! nodes: [Action!]! }
  type Integration {
    id: ID! slug: String! name: String! description: String! category: String! tier: String!
    authSchemes: [String!]! documentationUrl: String isSandbox: Boolean! credentialSchema: JSON
    actions(first: Int): Actions!
  }
  type Integrations { totalCount: Int! nodes: [Integration!]! }
  type Query { integrations(first: Int): Integrations }
  type Subscription { executionEvents(after: String): ExecutionEvent! }
`;

const app = Fastify();
app.get("/healthz", async () => ({ status: "ok" }));
await app.register(mercurius, {
  schema,
  jit: 1,
  resolvers: {
    Query: { integrations: async () => data.integrations },
    Subscription: { executionEvents: { subscribe: async (_, __, { pubsub }) => pubsub.subscribe("EVENTS") } },
  },
  subscription: true,
});
const listener = new Redis(redisUrl);
await listener.subscribe("bench");
listener.on("message", (_, message) => {
  const { executionEvents } = JSON.parse(message).payload.data;
  app.graphql.pubsub.publish({ topic: "EVENTS", payload: { executionEvents } });
});
await app.listen({ port: Number(port), host: "127.0.0.1" });
