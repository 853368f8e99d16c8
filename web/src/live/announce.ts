/** The one polite live region (4.1.3): announcements within a second are joined into one. */
import { store } from "./store.ts";

export const announced = store("");

const waiting = new Set<string>();

export function announce(text: string): void {
  if (!text) return;
  const first = waiting.size === 0;
  waiting.add(text);
  if (!first) return;
  setTimeout(() => {
    announced.set([...waiting].join(" "));
    waiting.clear();
  }, 1000);
}
