/** The server's second, shared by every countdown of the page: one timer, however many readers. */
import { useSyncExternalStore } from "react";
import { serverClock } from "./clock.ts";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let second = 0;

function beat(): void {
  second = Math.floor(serverClock.now() / 1000) * 1000;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    timer = setInterval(beat, 1000);
    second = Math.floor(serverClock.now() / 1000) * 1000;
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

function snapshot(): number {
  if (timer === undefined) second = Math.floor(serverClock.now() / 1000) * 1000;
  return second;
}

/** Milliseconds since the epoch by the server, floored to the second; redraws each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, snapshot);
}
