/** What every sentence of the product owes its reader, whichever page it stands on. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** The sentences of a language, by their French. */
function sentences(locale: "fr" | "en"): string[] {
  const file = readFileSync(new URL(`./${locale}.po`, import.meta.url), "utf8");
  return [...file.matchAll(/^msgstr "(.+)"$/gm)].map(([, text = ""]) => text);
}

const FRENCH = sentences("fr");
const ENGLISH = sentences("en");

test("no rule's id, no code and no field's name of RdvPermis stands in a sentence", () => {
  const codes = /\bR-[A-Z]|[A-Z]{2,}_[A-Z]|statutDeReservation|\bCODE_/;
  expect([...FRENCH, ...ENGLISH].filter((text) => codes.test(text.replace(/\{\w+\}/g, "")))).toEqual([]);
});

test('a number before what it counts is a plural: one of a thing is never "1 lignes"', () => {
  // Limits of the page that are never one: MOST…, `consecutive`. "Temps plein" has no plural of its own.
  const french = /\{(?!MOST|consecutive)\w+\} (?!temps\b|sur\b|dans\b|plus\b|vers\b)[a-zà-ÿ]{2,}(?:s|x)\b/;
  const english =
    /\{(?!MOST|consecutive)\w+\} (?!gets\b|is\b|as\b|has\b|this\b|takes\b|loses\b|follows\b|days,)[a-z]{2,}s\b/;
  const bare = (text: string) => !text.includes(", plural,");
  expect(FRENCH.filter(bare).filter((text) => french.test(text))).toEqual([]);
  expect(ENGLISH.filter(bare).filter((text) => english.test(text))).toEqual([]);
});

test("a number that always stands there is never one", () => {
  expect(FRENCH.filter((text) => /(?:^|\D)1 [a-zà-ÿ]+(?:s|x)\b/.test(text) && !/plural/.test(text))).toEqual([]);
});

test("nobody is taken for a man or a woman: who reads, and who is named", () => {
  // Participles that agree with "vous" or with a name; "vous êtes hors ligne" agrees with nobody.
  const reader = /\b[Vv]ous (?:n')?êtes (?:déjà |encore )?\S*(?:é|ée|i|ie|u|ue|rit)\b|[Vv]ous seule?\b|Rester connecté/;
  const named = /\{\w+\} (?:est|était|sera) (?:inscrit|ajouté|averti|connecté|prévenu|retenu|réservé|parti)\b/;
  expect(FRENCH.filter((text) => reader.test(text) || named.test(text))).toEqual([]);
});

test("a person is never shown by an initial", () => {
  expect([...FRENCH, ...ENGLISH].filter((text) => /\b[A-Z]\. [A-ZÉ{]/.test(text))).toEqual([]);
});

test('a month is joined by ofMonth: "de {month}" would make "de octobre"', () => {
  expect(FRENCH.filter((text) => /[Ss]euil de \{/.test(text))).toEqual([]);
});

test("one word a thing", () => {
  const forbidden = /\béchange|\baccompagnateur|\bmoniteur|\benseignant\b|\brendez-vous\b|\be-?mail\b/i;
  expect(FRENCH.filter((text) => forbidden.test(text))).toEqual([]);
});
