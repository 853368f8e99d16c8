/**
 * In place of src/live/trusted-event.ts in jsdom, where no event is trusted: `hand` says whether a person pressed. That only
 * trusted events count is shown in the browser (e2e) and in pages.test.tsx.
 */
export const hand = { human: true };

export function isTrusted(): boolean {
  return hand.human;
}

export function ignoreKeyRepeat(): void {}
