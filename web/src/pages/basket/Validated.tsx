/** The answer to a validation. It stands above the groups: a group whose lines are all settled leaves the basket. */
import { t } from "@lingui/core/macro";
import { Trans } from "@lingui/react/macro";
import { Link } from "@tanstack/react-router";
import type { GroupOutcome, Line } from "../../api/contract/types.ts";
import { CandidateLink } from "../../components/candidates/CandidateLink.tsx";
import { useFocusOnResult } from "../../components/lines/settled.ts";
import { Notice } from "../../components/Notice.tsx";
import { LineStatus } from "../../components/StatusMark.tsx";
import { lineRefusalText, unknownOutcome } from "../../rules/answers/refusals.ts";
import { summary } from "../../rules/lines.ts";
import { examShort } from "../../time/format.ts";

/** The result of one line of a validation, shown once RdvPermis has answered. */
function Outcome({ line }: { line: Line }) {
  if (line.state === "booked") {
    return (
      <Trans>
        Réservé pour <CandidateLink candidate={line.candidate} />. Le candidat est prévenu.
      </Trans>
    );
  }
  if (line.reason) return lineRefusalText(line.state, line.reason);
  return line.state === "confirming" || line.state === "asking" ? unknownOutcome() : null;
}

export function Validated({ outcome }: { outcome: GroupOutcome }) {
  const box = useFocusOnResult<HTMLDivElement>(outcome);
  return (
    <div ref={box} tabIndex={-1} className="rp-result">
      <Notice level={outcome.results.every((line) => line.state === "booked") ? "success" : "info"}>
        <h2>{summary(outcome.results)}</h2>
        <ul className="rp-plain-list">
          {outcome.group.lines.map((line) => (
            <li key={line.id} className="rp-row">
              <LineStatus state={line.state} />
              <span>{examShort(line.slot.startsAt)}</span>
              <span>
                <Outcome line={line} />
              </span>
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
