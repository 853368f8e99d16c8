/** A journal of eight leaves with its signed checkpoint, made with node:crypto: independent of src/audit/merkle.ts, which it tests. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const leafOf = (data: Uint8Array) => sha256(Uint8Array.of(0), data);

/** RFC 9162 §2.1.1, straight from its recursive definition. */
export function treeHash(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leafOf(leaves[0] ?? new Uint8Array());
  const k = split(leaves.length);
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

/** RFC 9162 §2.1.3.1. */
export function inclusionPath(index: number, leaves: readonly Uint8Array[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...inclusionPath(index, leaves.slice(0, k)), treeHash(leaves.slice(k))]
    : [...inclusionPath(index - k, leaves.slice(k)), treeHash(leaves.slice(0, k))];
}

function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

export function makeJournal(size: number) {
  const origin = "resapermis.test/journal";
  const { privateKey } = generateKeyPairSync("ed25519");
  const raw = createPublicKey(createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })))
    .export({ type: "spki", format: "der" })
    .subarray(-32);
  const key = Buffer.concat([Uint8Array.of(1), raw]);
  const id = sha256(Buffer.from(`${origin}\n`), key).subarray(0, 4);
  const entries = Array.from({ length: size }, (_, index) => {
    const salt = sha256(Buffer.from(`salt ${index}`));
    const content = Buffer.from(`record ${index}`);
    return { salt, content, data: Buffer.concat([sha256(salt, content), sha256(Buffer.from(`sealed ${index}`))]) };
  });
  const leaves = entries.map((entry) => entry.data);
  const text = `${origin}\n${size}\n${treeHash(leaves).toString("base64")}\n`;
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]);
  const note = `${text}\n\u2014 ${origin} ${signature.toString("base64")}\n`;
  return {
    note,
    verifierKey: `${origin}+${id.toString("hex")}+${key.toString("base64")}`,
    leaves,
    claim(index: number) {
      const entry = entries[index];
      if (!entry) throw new RangeError(`no leaf ${index}`);
      return {
        leafIndex: index,
        treeSize: size,
        leafData: entry.data.toString("base64"),
        leafHash: leafOf(entry.data).toString("base64"),
        hashes: inclusionPath(index, leaves).map((hash) => hash.toString("base64")),
        checkpoint: note,
        salt: entry.salt.toString("base64"),
        content: entry.content.toString("base64"),
      };
    },
  };
}
