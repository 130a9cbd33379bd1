// An authorization server for one test process; it dies with it.
//
// Rotates refresh tokens, and ends everything that came from a consent when a used one is used again. Prints its
// address as a line of JSON; answers each line of its input with what it has counted so far.

import { createServer } from "node:http";
import { once } from "node:events";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

console.log = console.info = console.warn = console.error; // its chatter must not mix with our lines
const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "client",
      client_secret: "client-secret-canary",
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["https://gateway.example/oauth/callback"],
    },
  ],
  scopes: ["openid", "offline_access", "read"],
  routes: { authorization: "/authorize", token: "/token" },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { AccessToken: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 600 },
  features: { devInteractions: { enabled: true } },
});

const counted = { refreshes: 0, ended: 0 };
provider.on("grant.success", (context) => {
  if (context.oidc.params.grant_type === "refresh_token") counted.refreshes += 1;
});
provider.on("grant.revoked", () => {
  counted.ended += 1;
});
server.on("request", provider.callback());

process.stdout.write(`${JSON.stringify({ issuer })}\n`);
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(counted)}\n`);
}
process.exit(0);
