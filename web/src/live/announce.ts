/** The one polite region (4.1.3): what is said within a second is said together. */
import { store } from "./store.ts";

export const spoken = store("");

const waiting = new Set<string>();

export function announce(text: string): void {
  if (!text) return;
  const first = waiting.size === 0;
  waiting.add(text);
  if (!first) return;
  setTimeout(() => {
    spoken.set([...waiting].join(" "));
    waiting.clear();
  }, 1000);
}
