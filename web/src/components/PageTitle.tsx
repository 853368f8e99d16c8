/** The page's h1: gets the focus after a navigation (rule 13), names the browser's tab. */
import { type ReactNode, useEffect, useRef } from "react";

let first = true;

export function PageTitle({ children, aside }: { children: string; aside?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${children} · ResaPermis`;
  }, [children]);
  useEffect(() => {
    if (first) {
      first = false;
      return;
    }
    heading.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, []);
  return (
    <div className="rp-row rp-row--between">
      <h1 ref={heading} tabIndex={-1}>
        {children}
      </h1>
      {aside}
    </div>
  );
}
