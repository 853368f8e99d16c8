/** The summary of a result takes the focus (rule 13), once the dialog that asked for it is gone and has given its own back. */
import { type RefObject, useEffect, useRef } from "react";

/** How often it is looked for the dialog, ms; gone for two looks, it has given the focus back. */
const LOOK_EVERY = 50;
const LOOKS = 40;

/** `result`: what there is to read; each new one takes the focus to the box, `undefined` leaves it where it is. */
export function useFocusOnResult<T extends HTMLElement>(result: unknown): RefObject<T | null> {
  const box = useRef<T>(null);
  useEffect(() => {
    if (result === undefined) return;
    let timer: ReturnType<typeof setTimeout>;
    let without = 0;
    let looks = 0;
    const look = () => {
      without = document.querySelector("[role=dialog]") ? 0 : without + 1;
      looks += 1;
      if (without >= 2 || looks >= LOOKS) box.current?.focus();
      else timer = setTimeout(look, LOOK_EVERY);
    };
    timer = setTimeout(look, LOOK_EVERY);
    return () => clearTimeout(timer);
  }, [result]);
  return box;
}
