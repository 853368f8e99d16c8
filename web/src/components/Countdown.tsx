/** What is left of a limit of RdvPermis. Digits are silent; 5, 2, 1 min and 20 s are announced to screen readers, once. */
import { t } from "@lingui/core/macro";
import { useEffect, useRef } from "react";
import { announce } from "../live/announce.ts";
import { markPassed, secondsLeft } from "../time/countdown.ts";
import { clockTime, duration, spokenDuration } from "../time/format.ts";
import { useNow } from "../time/now.ts";

export function useSecondsLeft(until: string): number {
  return secondsLeft(Date.parse(until), useNow());
}

/** Announces the marks of one limit; `label` names what ends ("Le panier"). */
export function useAnnouncedMarks(until: string, label: string): void {
  const left = useSecondsLeft(until);
  const before = useRef(left);
  useEffect(() => {
    const mark = markPassed(before.current, left);
    before.current = left;
    if (mark !== undefined) {
      const rest = spokenDuration(mark);
      announce(t`${label} : reste ${rest}.`);
    }
  }, [left, label]);
}

/** "expire à 15:17, reste 12 min 04 s" */
export function Countdown({ until }: { until: string }) {
  const left = useSecondsLeft(until);
  const at = clockTime(until);
  if (left === 0) return <span className="rp-old">{t`expiré à ${at}`}</span>;
  const rest = duration(left);
  return (
    <span className={left <= 300 ? "rp-old" : undefined}>
      {t`expire à ${at}`}
      {", "}
      <span role="timer" aria-live="off">{t`reste ${rest}`}</span>
    </span>
  );
}
