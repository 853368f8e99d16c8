/** The answer to a hold, a summary above and a result per slot asked (rule 2). */
import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import type { BareSlot, GroupOutcome } from "../../api/contract/types.ts";
import { lineRefusalText, unknownOutcome } from "../../rules/answers/refusals.ts";
import { summary } from "../../rules/lines.ts";
import { examShort } from "../../time/format.ts";
import { Notice, ReasonDetails } from "../Notice.tsx";
import { LineStatus } from "../StatusMark.tsx";
import { NearestLink } from "./NearestLink.tsx";

/** `asked`: what was chosen, for slots of which the answer keeps no line. */
export function HoldResult({ outcome, asked }: { outcome: GroupOutcome; asked: readonly BareSlot[] }) {
  const slots = new Map<string, BareSlot>([
    ...asked.map((slot) => [slot.id, slot] as const),
    ...outcome.group.lines.map((line) => [line.slot.id, line.slot] as const),
  ]);
  const held = outcome.results.some((result) => result.state === "held");
  const all = outcome.results.every((result) => result.state === "held");
  return (
    <Notice level={all ? "success" : held ? "info" : "warning"}>
      <h2>{summary(outcome.results)}</h2>
      <ul className="rp-plain-list">
        {outcome.results.map(({ lineId, slotId, state, problem }) => {
          const slot = slots.get(slotId);
          return (
            <li key={lineId || slotId} className="rp-stack rp-stack--tight">
              <span className="rp-row">
                <LineStatus state={state} />
                {slot ? `${examShort(slot.startsAt)} ${slot.centre.name}` : slotId}
              </span>
              {state === "asking" ? <span>{unknownOutcome()}</span> : null}
              {problem ? (
                <>
                  <span>{lineRefusalText(state, problem)}</span>
                  <span className="rp-row">
                    {slot ? <NearestLink slot={slot} /> : null}
                    <ReasonDetails reason={problem} />
                  </span>
                </>
              ) : null}
            </li>
          );
        })}
      </ul>
      {held ? (
        <p>
          <Link to="/panier">{t`Nommer les candidats et valider, dans le panier`}</Link>
        </p>
      ) : null}
    </Notice>
  );
}
