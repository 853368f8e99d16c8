/** The one polite region (4.1.3): what is said within a second is said together. */
import { store } from "./store.ts";

export const spoken = store("");

const waiting = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string): void {
  if (!text) return;
  waiting.add(text);
  timer ??= setTimeout(() => {
    timer = undefined;
    spoken.set([...waiting].join(" "));
    waiting.clear();
  }, 1000);
}
