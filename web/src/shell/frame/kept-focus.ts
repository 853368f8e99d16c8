/** Focus that stood on something which left the page goes to the page's title: on <body>, keyboard and screen reader begin anew. */
import { useEffect } from "react";

/** Longer than those take who pass the focus on themselves (a dialog, a result), ms. */
const OTHERS_FIRST = 250;

export function useKeptFocus(): void {
  useEffect(() => {
    let last: Element | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const note = ({ target }: FocusEvent) => {
      last = target instanceof Element ? target : null;
    };
    const keep = () => {
      timer = undefined;
      if (last?.isConnected !== false || document.activeElement !== document.body) return;
      last = null;
      document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
    };
    const observer = new MutationObserver(() => {
      if (last?.isConnected === false) timer ??= setTimeout(keep, OTHERS_FIRST);
    });
    document.addEventListener("focusin", note);
    observer.observe(document.body, { childList: true, subtree: true });
    return () => {
      clearTimeout(timer);
      observer.disconnect();
      document.removeEventListener("focusin", note);
    };
  }, []);
}
