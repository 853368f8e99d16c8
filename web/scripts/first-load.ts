/**
 * What a page needs first, begun before its code is there: a small script at the top of index.html that preloads the modules of the
 * address's page and the texts of this device's language, and asks for the session and what each page begins with
 * (src/api/contract/early.ts takes the answers). Nothing of a person is put into the HTML.
 */
import { readFileSync } from "node:fs";
import type { Plugin, Rollup } from "vite";
import { SHELL } from "./chunks.ts";

const ROUTES = "src/routes.tsx";

/** What signed-in people's pages begin with, wherever they are; and what home alone does. Answers without parameters of the day. */
const FIRST_DATA = ["/api/v1/basket", "/api/v1/notifications?limit=1"];
const HOME_DATA = [
  "/api/v1/bookings?filter=upcoming",
  "/api/v1/bookings?filter=to_confirm",
  "/api/v1/rules/parameters",
  "/api/v1/school/background-work",
  "/api/v1/me/grant",
];

interface Route {
  readonly address: string;
  readonly page: string;
}

/** The addresses and their pages, as routes.tsx states them. */
export function routesOf(source: string): Route[] {
  const found = [...source.matchAll(/path: "([^"]+)",(?:(?!createRoute\().)*?import\("\.\/(pages\/[^"]+)"\)/gs)];
  if (found.length === 0) throw new Error(`${ROUTES} has not the shape that this plugin knows`);
  return found.map(([, address = "", page = ""]) => ({ address, page: `src/${page}` }));
}

/** `/candidats/$id` → `^/candidats/[^/]+/?$`. */
export function patternOf(address: string): string {
  return `^${address.replace(/\/$/, "").replaceAll(/\$[a-z]+/g, "[^/]+")}/?$`;
}

function closure(bundle: Rollup.OutputBundle, file: string, found = new Set<string>()): Set<string> {
  const chunk = bundle[file];
  if (found.has(file) || chunk?.type !== "chunk") return found;
  found.add(file);
  for (const next of chunk.imports) closure(bundle, next, found);
  return found;
}

function chunkOf(bundle: Rollup.OutputBundle, module: string): string {
  const chunk = Object.values(bundle).find(
    (one) => one.type === "chunk" && one.isDynamicEntry && one.facadeModuleId?.endsWith(`/${module}`),
  );
  if (!chunk) throw new Error(`the build has no chunk of its own for ${module}`);
  return chunk.fileName;
}

function script(bundle: Rollup.OutputBundle): string {
  const entry = Object.values(bundle).find((one) => one.type === "chunk" && one.isEntry);
  if (!entry) throw new Error("the build has no entry");
  const loaded = closure(bundle, entry.fileName);
  const files = (module: string) => [...closure(bundle, chunkOf(bundle, module))].filter((file) => !loaded.has(file));
  const shell = files(SHELL);
  const pages = routesOf(readFileSync(new URL(`../${ROUTES}`, import.meta.url), "utf8")).map(({ address, page }) => [
    patternOf(address),
    files(page).filter((file) => !shell.includes(file)),
    address === "/" ? HOME_DATA : [],
  ]);
  const table = JSON.stringify({
    texts: { fr: files("src/locales/fr.po"), en: files("src/locales/en.po") },
    shell,
    data: FIRST_DATA,
    pages,
  });
  return `{
  const { texts, shell, data, pages } = ${table};
  const answers = new Map();
  globalThis.resapermisEarly = { since: performance.now(), answers };
  const nonce = document.currentScript.nonce;
  const load = (file) => {
    const link = document.createElement("link");
    Object.assign(link, { rel: "modulepreload", crossOrigin: "anonymous", href: "/" + file, nonce });
    document.head.append(link);
  };
  const ask = (path) => {
    const answer = fetch(path, { credentials: "same-origin" });
    answer.catch(() => undefined);
    answers.set(path, answer);
  };
  ask("/auth/session");
  texts[localStorage.getItem("resapermis.locale") === "en" ? "en" : "fr"].forEach(load);
  if (localStorage.getItem("resapermis.signed-in")) {
    const [, files, more] = pages.find(([address]) => new RegExp(address).test(location.pathname)) ?? ["", [], []];
    [...data, ...more].forEach(ask);
    [...shell, ...files].forEach(load);
  }
}`;
}

const STYLES = /\n *<link rel="stylesheet"[^>]* href="([^"]+)"[^>]*>/;

/**
 * The page with `early` in it. What is asked for first comes first over few connections: styles, then code, then `early`'s questions.
 * A script waits for the styles that stand before it, so they are preloaded at the top and linked at the end.
 */
export function ordered(html: string, early: string): string {
  const styles = STYLES.exec(html);
  if (!styles || !html.includes("</title>")) throw new Error("the built page has not the shape that this plugin knows");
  const preload = `<link rel="preload" as="style" crossorigin href="${styles[1]}" nonce="__CSP_NONCE__">`;
  return html
    .replace(STYLES, "")
    .replace("</title>", `</title>\n    ${preload}`)
    .replace("\n  </head>", () => `\n    ${early}${styles[0]}\n  </head>`);
}

export function firstLoad(): Plugin {
  return {
    name: "first-load",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (html, { bundle }) => {
        if (!bundle) throw new Error("no bundle to preload of");
        return ordered(html, `<script nonce="__CSP_NONCE__">${script(bundle)}</script>`);
      },
    },
  };
}
