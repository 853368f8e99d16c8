/** The chosen slots, and the one click that asks for them. Stays at the bottom; nothing is sent without it. */

import { plural, t } from "@lingui/core/macro";
import { Button, Checkbox } from "@mantine/core";
import { useState } from "react";
import type { Slot } from "../../api/contract/types.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { examShort } from "../../time/format.ts";

function nameOf(slot: Slot): string {
  return `${examShort(slot.startsAt)} ${slot.centre.name}`;
}

export function ChosenBar({
  chosen,
  limit,
  refused,
  busy,
  onClear,
  onHold,
}: {
  chosen: readonly Slot[];
  limit: number;
  /** One slot too many was just pressed: said where the eye is, until the choice changes. */
  refused: Slot | undefined;
  busy: boolean;
  onClear: () => void;
  onHold: (allOrNothing: boolean) => void;
}) {
  const [allOrNothing, setAllOrNothing] = useState(false);
  if (chosen.length === 0) return null;
  const count = chosen.length;
  return (
    <section className="rp-chosen" aria-label={t`Créneaux choisis`}>
      <div className="rp-chosen__what">
        <strong>{plural(count, { one: `# choisi sur ${limit}`, other: `# choisis sur ${limit}` })}</strong>
        <span className="rp-small rp-muted">{chosen.map(nameOf).join(" · ")}</span>
        {refused ? (
          <span className="rp-chosen__refused rp-old">
            {t`${nameOf(refused)} n'est pas choisi :`}{" "}
            {plural(limit, { one: "au plus # créneau par demande.", other: "au plus # créneaux par demande." })}
          </span>
        ) : null}
      </div>
      {count > 1 ? (
        <Checkbox
          checked={allOrNothing}
          onChange={(event) => setAllOrNothing(event.currentTarget.checked)}
          label={t`Tous ou aucun`}
        />
      ) : null}
      <Button variant="subtle" onClick={onClear}>
        {t`Vider`}
      </Button>
      <ActionButton main busy={busy} onAct={() => onHold(allOrNothing && count > 1)}>
        {plural(count, { one: "Retenir ce créneau", other: "Retenir ces # créneaux" })}
      </ActionButton>
    </section>
  );
}
