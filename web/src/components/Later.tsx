/** What nobody sees at first: drawn, and its code fetched, once the page has had time for what is seen; at once where `now` asks for it. */
import { type ReactNode, Suspense, useEffect, useState } from "react";

const PATIENCE = 2000;

export function Later({ now = false, children }: { now?: boolean; children: ReactNode }) {
  const [due, setDue] = useState(now);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (now) setDue(true);
  }, [now]);
  return due ? <Suspense>{children}</Suspense> : null;
}
