/**
 * Proofs of the journal, recomputed in the reader's browser: nothing that the server concludes is taken on trust.
 * Hashing after RFC 9162 §2.1 (SHA-256, 0x00 before a leaf, 0x01 before a node); checkpoints are C2SP signed notes.
 */

const encoder = new TextEncoder();

async function sha256(...chunks: Uint8Array[]): Promise<Uint8Array> {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

export function leafHash(data: Uint8Array): Promise<Uint8Array> {
  return sha256(Uint8Array.of(0), data);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Promise<Uint8Array> {
  return sha256(Uint8Array.of(1), left, right);
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * The root that an inclusion proof leads to (RFC 9162 §2.1.3.2).
 *
 * @returns the root, or undefined when the proof has the wrong length for its place: a proof that proves nothing.
 */
export async function rootFromInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Promise<Uint8Array | undefined> {
  if (index < 0 || index >= size) return undefined;
  let fn = index;
  let sn = size - 1;
  let root = leaf;
  for (const sibling of proof) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      root = await nodeHash(sibling, root);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      root = await nodeHash(root, sibling);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 ? root : undefined;
}

/** Standard or URL-safe base64, padded or not. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const standard = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(standard), (char) => char.charCodeAt(0));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** What the signatures cover: the text up to and with the newline before the blank line. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

/** Reads a C2SP checkpoint; undefined when the text is not one. */
export function parseCheckpoint(note: string): Checkpoint | undefined {
  const cut = note.indexOf("\n\n");
  if (cut < 0) return undefined;
  const text = note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  if (!origin || !size || !/^\d+$/.test(size) || !root) return undefined;
  const signatures = note
    .slice(cut + 2)
    .split("\n")
    .flatMap((line) => {
      const match = /^\u2014 (\S+) (\S+)$/.exec(line);
      return match?.[1] && match[2] ? [{ name: match[1], bytes: fromBase64(match[2]) }] : [];
    });
  return { origin, size: Number(size), root: fromBase64(root), text, signatures };
}

/**
 * Whether the note carries a good Ed25519 signature of the verifier key (`name+hash+base64(0x01 || key)`).
 *
 * @returns undefined where this browser cannot check Ed25519: unknown is shown as unknown, never guessed.
 */
export async function signatureHolds(checkpoint: Checkpoint, verifierKey: string): Promise<boolean | undefined> {
  const [name, , ...rest] = verifierKey.split("+");
  const encoded = rest.join("+");
  if (!name || !encoded) return false;
  const key = fromBase64(encoded);
  if (key[0] !== 1 || key.length !== 33) return false;
  const id = (await sha256(encoder.encode(`${name}\n`), key)).slice(0, 4);
  const mine = checkpoint.signatures.filter(
    (signature) => signature.name === name && same(signature.bytes.slice(0, 4), id),
  );
  if (mine.length === 0) return false;
  try {
    const imported = await crypto.subtle.importKey("raw", key.slice(1), "Ed25519", false, ["verify"]);
    const checks = mine.map((signature) =>
      crypto.subtle.verify("Ed25519", imported, signature.bytes.slice(4), encoder.encode(checkpoint.text)),
    );
    return (await Promise.all(checks)).some(Boolean);
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}

export interface InclusionClaim {
  readonly leafIndex: number;
  readonly treeSize: number;
  /** base64; SHA-256(salt ‖ content) ‖ SHA-256(sealed content). */
  readonly leafData: string;
  readonly leafHash: string;
  readonly hashes: readonly string[];
  /** The signed note that the proof leads to. */
  readonly checkpoint: string;
  /** base64; absent once the content was erased. */
  readonly salt?: string | null;
  readonly content?: string | null;
}

export interface ProofResult {
  /** The shown content is what the leaf committed to; undefined when it was erased. */
  readonly content: boolean | undefined;
  readonly leaf: boolean;
  readonly root: boolean;
  /** undefined: this browser cannot check the signature. */
  readonly signature: boolean | undefined;
  readonly computedRoot: string | undefined;
  readonly expectedRoot: string | undefined;
  readonly holds: boolean;
}

/** Recomputes every step from the record's content to the signed root. */
export async function verifyInclusion(claim: InclusionClaim, verifierKey: string): Promise<ProofResult> {
  const leafData = fromBase64(claim.leafData);
  const content =
    claim.salt && claim.content
      ? same(await sha256(fromBase64(claim.salt), fromBase64(claim.content)), leafData.slice(0, 32))
      : undefined;
  const leafNow = await leafHash(leafData);
  const leaf = same(leafNow, fromBase64(claim.leafHash));
  const computed = await rootFromInclusion(leafNow, claim.leafIndex, claim.treeSize, claim.hashes.map(fromBase64));
  const checkpoint = parseCheckpoint(claim.checkpoint);
  const root =
    computed !== undefined &&
    checkpoint !== undefined &&
    checkpoint.size === claim.treeSize &&
    same(computed, checkpoint.root);
  const signature = checkpoint ? await signatureHolds(checkpoint, verifierKey) : false;
  return {
    content,
    leaf,
    root,
    signature,
    computedRoot: computed && toHex(computed),
    expectedRoot: checkpoint && toHex(checkpoint.root),
    holds: content !== false && leaf && root && signature !== false,
  };
}
