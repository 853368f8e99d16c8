import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import type { BareSlot } from "../../api/contract/types.ts";
import { addDays, dayOf } from "../../time/calendar.ts";

/** Slots of the same centre and licence around that day. */
export function NearestLink({ slot, department }: { slot: BareSlot; department?: string }) {
  const day = dayOf(slot.startsAt);
  return (
    <Link
      to="/creneaux"
      search={{
        ...(department ? { departement: department } : {}),
        categorie: slot.category,
        du: addDays(day, -3),
        au: addDays(day, 7),
        centres: slot.centre.id,
      }}
    >
      {t`Les plus proches`}
    </Link>
  );
}
