/** jsdom lacks what browsers have: the few things that Mantine and the pages ask of it. */
import { cleanup, configure, prettyDOM } from "@testing-library/react";
import { afterEach } from "vitest";
import { forgetSession } from "../src/api/contract/client.ts";
import { hand } from "./trusted-event.ts";

document.documentElement.lang = "fr";

// One window for all files of a worker: what a test leaves in it goes.
afterEach(() => {
  cleanup();
  forgetSession();
  sessionStorage.clear();
  hand.human = true;
});

/** The page is printed for whoever reads the failure: waiting fails every few milliseconds, and printing was a tenth of the time. */
class NotFoundInPage extends Error {
  override name = "TestingLibraryElementError";

  constructor(reason: string | null, page: Element) {
    super(reason ?? "");
    let message: string | undefined;
    Object.defineProperty(this, "message", {
      get: () => {
        message ??= [reason, prettyDOM(page) || ""].join("\n\n");
        return message;
      },
      set: (given: string) => {
        message = given;
      },
      configurable: true,
    });
  }
}

configure({
  asyncUtilTimeout: 10_000,
  getElementError: (reason, page) => new NotFoundInPage(reason, page),
});

window.matchMedia = (query: string) =>
  ({
    matches: query.includes("min-width"),
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
    dispatchEvent: () => false,
    onchange: null,
  }) as MediaQueryList;

class StillObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}
window.ResizeObserver = StillObserver as unknown as typeof ResizeObserver;
window.scrollTo = () => undefined;
Element.prototype.scrollIntoView = () => undefined;
