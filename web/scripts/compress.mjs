/** Writes `<file>.br` and `<file>.gz` beside each built file that gets smaller by it; the gateway sends the one that a browser takes. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const COMPRESSIBLE = new Set([".js", ".css", ".svg", ".json", ".txt"]);
const ENCODINGS = {
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  gz: (bytes) => gzipSync(bytes, { level: 9 }),
};

const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter(
  (entry) => entry.isFile() && COMPRESSIBLE.has(extname(entry.name)) && !entry.parentPath.includes("/.vite"),
);
for (const entry of files) {
  const path = join(entry.parentPath, entry.name);
  const bytes = readFileSync(path);
  for (const [suffix, compress] of Object.entries(ENCODINGS)) {
    const smaller = compress(bytes);
    if (smaller.length < bytes.length) writeFileSync(`${path}.${suffix}`, smaller);
  }
}
