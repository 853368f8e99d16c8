/** How old what is in view is: the slots' age is the slots', that of empty days their own (rule 8). */
import { t } from "@lingui/core/macro";
import type { Ages as Known } from "../rules/search/in-view.ts";
import { duration } from "../time/format.ts";
import { useNow } from "../time/now.ts";
import { OLD } from "./Age.tsx";

export function Ages({ ages }: { ages: Known }) {
  const now = useNow();
  const since = (moment: string) => Math.max(0, Math.floor((now - Date.parse(moment)) / 1000));
  return (
    <>
      {ages.slots ? <OfSlots seconds={since(ages.slots)} /> : null}
      {ages.empty ? <OfEmpty seconds={since(ages.empty)} /> : null}
      {ages.unseen ? <span className="rp-old">{t`une partie n'a pas encore été vue`}</span> : null}
      {ages.slots || ages.empty || ages.unseen ? null : (
        <span className="rp-old">{t`pas encore vu chez RdvPermis`}</span>
      )}
    </>
  );
}

function OfSlots({ seconds }: { seconds: number }) {
  const ago = duration(seconds);
  return seconds <= OLD ? (
    <span>{t`créneaux vus chez RdvPermis il y a ${ago}`}</span>
  ) : (
    <span className="rp-old">{t`information ancienne : créneaux vus chez RdvPermis il y a ${ago}`}</span>
  );
}

function OfEmpty({ seconds }: { seconds: number }) {
  const ago = duration(seconds);
  return (
    <span className={seconds <= OLD ? undefined : "rp-old"}>
      {t`jours et centres sans créneau : vus il y a ${ago} au plus`}
    </span>
  );
}
