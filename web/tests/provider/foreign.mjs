/**
 * A certified OpenID provider that is not RdvPermis' (oidc-provider, over its own pages of sign-in and consent): for the gateway's
 * test that any conforming provider will do. `node foreign.mjs '<settings>'`; it says "ready" once it listens on loopback.
 *
 * It is strict where the standards leave a choice: pushed requests alone (RFC 9126), PKCE always, claims of scopes in userinfo alone,
 * refresh tokens that rotate. Settings: port, clients, scopes, claims (of each scope), people (claims by subject).
 * POST /test/rotate makes a new signing key (`?drop=1` forgets the old ones), as an operator does; nothing of what it knows is lost.
 */
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(process.argv[2] ?? "{}");
const issuer = `http://127.0.0.1:${settings.port}`;

function newKey(kid) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid, use: "sig" };
}

/** What it remembers outlives a change of keys. */
const remembered = new Map();
class Memory {
  constructor(kind) {
    this.kind = kind;
  }
  #of = (id) => `${this.kind}:${id}`;
  async upsert(id, payload) {
    remembered.set(this.#of(id), payload);
    if (payload.uid) remembered.set(`${this.kind}:uid:${payload.uid}`, id);
    if (payload.userCode) remembered.set(`${this.kind}:code:${payload.userCode}`, id);
  }
  async find(id) {
    return remembered.get(this.#of(id));
  }
  async findByUid(uid) {
    return this.find(remembered.get(`${this.kind}:uid:${uid}`));
  }
  async findByUserCode(code) {
    return this.find(remembered.get(`${this.kind}:code:${code}`));
  }
  async consume(id) {
    const found = remembered.get(this.#of(id));
    if (found) found.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    remembered.delete(this.#of(id));
  }
  async revokeByGrantId(grantId) {
    for (const [id, payload] of remembered) if (payload?.grantId === grantId) remembered.delete(id);
  }
}

function provider(keys) {
  const made = new Provider(issuer, {
    adapter: Memory,
    jwks: { keys },
    cookies: { keys: ["of a test"] },
    clients: settings.clients,
    scopes: settings.scopes,
    claims: settings.claims,
    findAccount: async (_context, sub) => ({
      accountId: sub,
      claims: async () => ({ sub, ...settings.people[sub] }),
    }),
    features: {
      devInteractions: { enabled: true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      rpInitiatedLogout: { enabled: true },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      jwtUserinfo: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
    },
    pkce: { required: () => true },
    // Its own refuses addresses of this machine, where we are.
    fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
    rotateRefreshToken: true,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed("refresh_token"),
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, RefreshToken: 1800, Grant: 3600, Session: 3600 },
  });
  made.on("backchannel.error", (_context, error) =>
    process.stderr.write(`not told of a sign-out: ${error} ${error.cause ?? ""}\n`),
  );
  return made.callback();
}

const keys = [newKey("first")];
let answer = provider(keys);
let rotations = 0;

createServer(async (request, response) => {
  if (request.method === "POST" && request.url?.startsWith("/test/rotate")) {
    rotations += 1;
    keys.unshift(newKey(`later-${rotations}`));
    if (request.url.endsWith("?drop=1")) keys.length = 1;
    answer = provider(keys);
    response.writeHead(204).end();
    return;
  }
  await answer(request, response);
}).listen(settings.port, "127.0.0.1", () => process.stdout.write("ready\n"));
