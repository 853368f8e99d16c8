/** A last day with its warning: in words and shape, before it lapses. */
import { plural, t } from "@lingui/core/macro";
import { useState } from "react";
import { StatusMark } from "../../components/StatusMark.tsx";
import { daysBetween, expiryOf } from "../../rules/school/expiry.ts";
import { todayInParis } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";
import { dayDate } from "../../time/format.ts";

export function useToday(): string {
  const [today] = useState(() => todayInParis(serverClock.now()));
  return today;
}

export function ExpiryMark({ lastDay }: { lastDay: string | null }) {
  const today = useToday();
  if (!lastDay) return <span className="rp-muted">{t`date non renseignée`}</span>;
  const when = dayDate(lastDay);
  switch (expiryOf(lastDay, today)) {
    case "ended":
      return <StatusMark tone="refused">{t`a pris fin le ${when}`}</StatusMark>;
    case "soon": {
      const left = daysBetween(today, lastDay);
      return (
        <StatusMark tone="waiting">
          {plural(left, {
            0: `finit aujourd'hui, ${when}`,
            one: `finit dans # jour, ${when}`,
            other: `finit dans # jours, ${when}`,
          })}
        </StatusMark>
      );
    }
    default:
      return <span>{t`jusqu'au ${when}`}</span>;
  }
}
