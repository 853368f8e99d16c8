/**
 * React as it is delivered, which takes half the time of the one for developers, has no `act`; Testing Library asks for one.
 * What it stands for: once an event is handled, the page shows what followed at once. What follows later is waited for.
 */
import { createRequire } from "node:module";
import { flushSync } from "react-dom";

const react = createRequire(import.meta.url)("react") as Record<string, unknown>;

react.act ??= (callback: () => unknown): unknown => {
  let result: unknown;
  flushSync(() => {
    result = callback();
  });
  return result;
};
