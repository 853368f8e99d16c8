/** Echo of one's own small act, for 8 s, with its undo where there is one (rules 9 and 11). Consequences never come here. */
import { announce } from "./announce.ts";
import { store } from "./store.ts";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly undo?: () => void;
}

const SHOWN = 8000;
export const toasts = store<readonly Toast[]>([]);
let next = 1;

export function dropToast(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

export function toast(text: string, undo?: () => void): void {
  const id = next++;
  toasts.set([...toasts.get(), { id, text, ...(undo ? { undo } : {}) }]);
  announce(text);
  setTimeout(() => dropToast(id), SHOWN);
}
