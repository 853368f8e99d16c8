/**
 * What is typed into a form, kept over a sign-in: in this tab's session storage alone, for its writer alone, until it is sent, given
 * up, or signed out by hand. It holds what the form shows and no more.
 */
import { useState } from "react";
import { useAnySession } from "../api/session.ts";

const DRAFTS = "resapermis.draft/";

/** A draft and what the form showed before: over another beginning (somebody changed it meanwhile) it is dropped. */
interface Stored {
  readonly base: string;
  readonly value: unknown;
}

function keyOf(userId: string, form: string): string {
  return `${DRAFTS}${userId}/${form}`;
}

/** The fields of `blank` with what was written into them; a field of another kind is left blank. */
function fieldsLike<T extends object>(blank: T, written: object): T {
  const fits = Object.entries(written).filter(
    ([name, value]) => name in blank && kindOf(value) === kindOf(blank[name as keyof T]),
  );
  return { ...blank, ...Object.fromEntries(fits) };
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "list" : typeof value;
}

function read<T extends object>(key: string, blank: T, take: (blank: T, written: object) => T): T {
  const text = sessionStorage.getItem(key);
  if (text === null) return blank;
  const { base, value } = JSON.parse(text) as Stored;
  return base === JSON.stringify(blank) && typeof value === "object" && value !== null ? take(blank, value) : blank;
}

/**
 * The form's fields, how to write them, and how to forget what is kept of them (the screen stays as it is). `form` names the form and
 * what it is about; fields as `blank` has them are nothing to keep.
 */
export function useDraft<T extends object>(
  form: string,
  blank: T,
  take: (blank: T, written: object) => T = fieldsLike,
): readonly [fields: T, write: (next: T) => void, forget: () => void] {
  const key = keyOf(useAnySession().user.id, form);
  const [held, hold] = useState(() => ({ key, fields: read(key, blank, take) }));
  const { fields } = held.key === key ? held : { fields: read(key, blank, take) };
  const forget = () => sessionStorage.removeItem(key);
  const write = (next: T) => {
    hold({ key, fields: next });
    const base = JSON.stringify(blank);
    if (JSON.stringify(next) === base) forget();
    else sessionStorage.setItem(key, JSON.stringify({ base, value: next } satisfies Stored));
  };
  return [fields, write, forget];
}

/** Whether something written into the form waits. */
export function isDrafted(userId: string, form: string): boolean {
  return sessionStorage.getItem(keyOf(userId, form)) !== null;
}

/** After a sign-in as somebody else in the same tab nothing is left of who was here before. */
export function forgetOthers(userId: string): void {
  const kept = Object.keys(sessionStorage).filter(
    (key) => key.startsWith(DRAFTS) && !key.startsWith(keyOf(userId, "")),
  );
  for (const key of kept) sessionStorage.removeItem(key);
}
