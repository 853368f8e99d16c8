import { describe, expect, test } from "vitest";
import { inclusionPath, makeJournal, treeHash } from "../../tests/mock/journal.ts";
import { leafHash, parseCheckpoint, rootFromInclusion, toHex, verifyInclusion } from "./merkle.ts";

const leaf = (index: number) => new TextEncoder().encode(`leaf ${index}`);

describe("proofs of the journal [T-03]", () => {
  test("every leaf of every tree up to 33 leads to the root that the recursive definition gives", async () => {
    for (let size = 1; size <= 33; size += 1) {
      const leaves = Array.from({ length: size }, (_, index) => leaf(index));
      const root = treeHash(leaves).toString("hex");
      for (let index = 0; index < size; index += 1) {
        const found = await rootFromInclusion(await leafHash(leaf(index)), index, size, inclusionPath(index, leaves));
        expect(found && toHex(found), `leaf ${index} of ${size}`).toBe(root);
      }
    }
  });

  test("a proof that is too short, too long or of another place proves nothing", async () => {
    const leaves = Array.from({ length: 7 }, (_, index) => leaf(index));
    const path = inclusionPath(3, leaves);
    const start = await leafHash(leaf(3));
    const root = treeHash(leaves).toString("hex");
    expect(await rootFromInclusion(start, 3, 7, path.slice(1))).toBeUndefined();
    expect(await rootFromInclusion(start, 3, 7, [...path, leaf(0)])).toBeUndefined();
    expect(await rootFromInclusion(start, 7, 7, path)).toBeUndefined();
    const elsewhere = await rootFromInclusion(start, 2, 7, path);
    expect(elsewhere && toHex(elsewhere)).not.toBe(root);
  });

  test("a whole claim holds: content, leaf, root, signature", async () => {
    const journal = makeJournal(8);
    const result = await verifyInclusion(journal.claim(5), journal.verifierKey);
    expect(result).toMatchObject({ content: true, leaf: true, root: true, signature: true, holds: true });
  });

  test("an erased content leaves the rest provable", async () => {
    const journal = makeJournal(3);
    const result = await verifyInclusion({ ...journal.claim(1), salt: null, content: null }, journal.verifierKey);
    expect(result).toMatchObject({ content: undefined, holds: true });
  });

  test.each([
    ["content", { content: btoa("another record") }],
    ["leaf", { leafData: btoa("x".repeat(64)) }],
    ["path", { hashes: [btoa("x".repeat(32))] }],
    ["place", { leafIndex: 4 }],
    ["size", { treeSize: 9 }],
  ])("a changed %s is found", async (_what, change) => {
    const journal = makeJournal(8);
    expect((await verifyInclusion({ ...journal.claim(5), ...change }, journal.verifierKey)).holds).toBe(false);
  });

  test("another's signature is refused", async () => {
    const journal = makeJournal(4);
    expect((await verifyInclusion(journal.claim(0), makeJournal(4).verifierKey)).signature).toBe(false);
  });

  test("a note that is no checkpoint is not read", () => {
    expect(parseCheckpoint("hello")).toBeUndefined();
    expect(parseCheckpoint("origin\nmany\nroot\n\n")).toBeUndefined();
  });
});
