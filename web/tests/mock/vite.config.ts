/** The pages over a made-up school, to look at them without a stack: `npm run dev:mock`, or `preview:mock` for the built ones under CSP. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { getResponse } from "msw";
import { defineConfig, mergeConfig, type Plugin } from "vite";
import base from "../../vite.config.ts";
import { handlers } from "./handlers.ts";
import { makeWorld } from "./world.ts";

function policy(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}' 'strict-dynamic'`,
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
}

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const leaving = new AbortController();
  incoming.socket.once("close", () => leaving.abort());
  return new Request(`http://localhost${incoming.url}`, {
    method: incoming.method ?? "GET",
    headers: new Headers(incoming.headers as Record<string, string>),
    signal: leaving.signal,
    ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
  });
}

function mockGateway(): Plugin {
  const routes = handlers({ ...makeWorld(), signedIn: false });
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<boolean> => {
    const response = await getResponse(routes, await toRequest(incoming));
    if (!response) return false;
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    if (response.body) Readable.fromWeb(response.body as never).pipe(outgoing);
    else outgoing.end();
    return true;
  };
  const middleware = (incoming: IncomingMessage, outgoing: ServerResponse, next: () => void) => {
    if (!/^\/(api|auth)\//.test(incoming.url ?? "")) return next();
    answer(incoming, outgoing).then((done) => (done ? undefined : next()), next);
  };
  return {
    name: "mock-gateway",
    configureServer(server) {
      server.middlewares.use(middleware);
    },
    configurePreviewServer(server) {
      server.middlewares.use(middleware);
      // As the gateway: a page is index.html with a fresh nonce, under the policy.
      server.middlewares.use((incoming, outgoing, next) => {
        if (/\.\w+$/.test(incoming.url?.split("?")[0] ?? "")) return next();
        const nonce = randomUUID();
        const html = readFileSync(new URL("../../dist/index.html", import.meta.url), "utf8");
        outgoing.writeHead(200, { "Content-Type": "text/html", "Content-Security-Policy": policy(nonce) });
        outgoing.end(html.replaceAll("__CSP_NONCE__", nonce));
      });
    },
  };
}

export default defineConfig((environment) =>
  mergeConfig(base(environment), {
    root: new URL("../..", import.meta.url).pathname,
    plugins: [mockGateway()],
    server: { proxy: {} },
    preview: { proxy: {} },
  }),
);
