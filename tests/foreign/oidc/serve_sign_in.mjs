// An identity provider for one test process; it dies with it. Arguments: its port, the gateway's address, its audience.
//
// Strict about PKCE and redirect addresses; issues JWTs for the resource that is asked for. Who signs in as NAME is an
// owner of the tenant `harbour`; `nobody` has no role.

import { createServer } from "node:http";
import { once } from "node:events";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

console.log = console.info = console.warn = console.error; // its chatter must not mix with our lines
const [port, gateway, audience] = process.argv.slice(2);
const server = createServer();
server.listen(Number(port), "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "mandate",
      client_secret: "sign-in-secret-canary",
      token_endpoint_auth_method: "client_secret_basic",
      grant_types: ["authorization_code"],
      redirect_uris: [`${gateway}/login/callback`],
    },
  ],
  scopes: ["openid"],
  pkce: { required: () => true },
  ttl: { AccessToken: 3600, Grant: 86400, Session: 86400, Interaction: 600, IdToken: 600 },
  async extraTokenClaims(context, token) {
    return { tenant: "harbour", roles: token.accountId === "nobody" ? [] : ["owner"] };
  },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      async getResourceServerInfo() {
        return { scope: "openid", audience, accessTokenFormat: "jwt", accessTokenTTL: 3600 };
      },
      async useGrantedResource() {
        return false;
      },
    },
  },
});
server.on("request", provider.callback());

process.stdout.write(`${JSON.stringify({ issuer })}\n`);
for await (const _ of createInterface({ input: process.stdin }));
process.exit(0);
