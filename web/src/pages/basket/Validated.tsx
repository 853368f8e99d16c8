/** The answer to a validation. It stands above the groups: a group whose lines are all settled leaves the basket. */
import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import type { GroupOutcome, Line } from "../../api/contract/types.ts";
import { Notice } from "../../components/Notice.tsx";
import { LineStatus } from "../../components/StatusMark.tsx";
import { lineRefusalText, unknownOutcome } from "../../rules/answers/refusals.ts";
import { summary } from "../../rules/lines.ts";
import { examShort } from "../../time/format.ts";

/** The result of one line of a validation, shown once RdvPermis has answered. */
function outcomeText(line: Line): string {
  if (line.state === "booked") {
    const name = line.candidate?.displayName ?? "";
    return t`Réservé pour ${name}. Le candidat est prévenu.`;
  }
  if (line.reason) return lineRefusalText(line.state, line.reason);
  return line.state === "confirming" || line.state === "asking" ? unknownOutcome() : "";
}

export function Validated({ outcome }: { outcome: GroupOutcome }) {
  const box = useRef<HTMLDivElement>(null);
  // Focus goes to the summary after results (rule 13), once the dialog has given it back.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each new outcome takes the focus
  useEffect(() => {
    const timer = setTimeout(() => box.current?.focus(), 100);
    return () => clearTimeout(timer);
  }, [outcome]);
  return (
    <div ref={box} tabIndex={-1} className="rp-result">
      <Notice level={outcome.results.every((line) => line.state === "booked") ? "success" : "info"}>
        <h2>{summary(outcome.results)}</h2>
        <ul className="rp-plain-list">
          {outcome.group.lines.map((line) => (
            <li key={line.id} className="rp-row">
              <LineStatus state={line.state} />
              <span>{examShort(line.slot.startsAt)}</span>
              <span>{outcomeText(line)}</span>
            </li>
          ))}
        </ul>
        <p>
          <Link to="/reservations">{t`Voir les réservations`}</Link>
        </p>
      </Notice>
    </div>
  );
}
