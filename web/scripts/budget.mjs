/**
 * The size budget of web.md §7, checked on what was built: first load ≤ 250 KB of JavaScript and 30 KB of CSS, ≤ 40 KB more for
 * each page (gzip, 1 KB = 1000 bytes). Exits with 1 and prints where it is exceeded.
 *
 * The first load is what the entry imports statically, the larger of the two languages, the frame of all pages with the dialogs that
 * follow it, and the home page. What is needed to draw that page, or that of slots, before the dialogs, has limits of its own.
 */
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const LIMITS = { js: 250, css: 30, route: 40, drawn: { home: 185, slots: 225 } };

const weights = new Map();
function weight(file) {
  if (!weights.has(file)) weights.set(file, gzipSync(readFileSync(new URL(file, dist)), { level: 6 }).length / 1000);
  return weights.get(file);
}

/** Files of a chunk and of all it imports statically. */
function closure(key, seen = new Set(), files = new Set()) {
  if (seen.has(key)) return files;
  seen.add(key);
  const chunk = manifest[key];
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) closure(next, seen, files);
  return files;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const dynamic = Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry);
const languages = dynamic.filter((key) => key.endsWith(".po"));
const pages = dynamic.filter((key) => key.startsWith("src/pages/") && !key.endsWith("Dialog.tsx"));
const home = pages.find((key) => key.includes("/home/"));
const frame = dynamic.find((key) => key.endsWith("/Shell.tsx"));
if (!entry || !home || !frame || languages.length < 2) throw new Error("the build has not the shape this check knows");

const heaviest = languages.toSorted((a, b) => weight(manifest[b].file) - weight(manifest[a].file))[0];
const drawn = new Set([...closure(entry), ...closure(heaviest), ...closure(frame), ...closure(home)]);
const first = new Set([
  ...drawn,
  ...dynamic.filter((key) => key.startsWith("src/shell/")).flatMap((key) => [...closure(key)]),
]);
const sum = (files, kind) =>
  [...files].filter((file) => file.endsWith(kind)).reduce((total, file) => total + weight(file), 0);

const slots = pages.find((key) => key.endsWith("/slots/Slots.tsx"));
const rows = [
  ["to draw home, JavaScript", sum(drawn, ".js"), LIMITS.drawn.home],
  ["to draw slots, JavaScript", sum(new Set([...drawn, ...closure(slots)]), ".js"), LIMITS.drawn.slots],
  ["first load, JavaScript", sum(first, ".js"), LIMITS.js],
  ["first load, CSS", sum(first, ".css"), LIMITS.css],
  ...pages
    .filter((page) => page !== home)
    .map((page) => {
      const more = [...closure(page)].filter((file) => !first.has(file));
      return [page, sum(more, ".js") + sum(more, ".css"), LIMITS.route];
    }),
];
for (const [name, kilobytes, limit] of rows) {
  const mark = kilobytes <= limit ? "  " : "✗ ";
  process.stdout.write(`${mark}${kilobytes.toFixed(1).padStart(7)} of ${String(limit).padStart(3)} KB  ${name}\n`);
}
if (rows.some(([, kilobytes, limit]) => kilobytes > limit)) {
  process.stderr.write("The size budget is passed (web.md §7).\n");
  process.exit(1);
}
