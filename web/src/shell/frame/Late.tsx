/** Says that an answer is late, whichever request waits: over everything, a dialog too, and without taking a press. */
import { t } from "@lingui/core/macro";
import { IconHourglass } from "@tabler/icons-react";
import { useSyncExternalStore } from "react";
import { anyLate, whenLate } from "../../api/contract/late.ts";

export function Late() {
  const late = useSyncExternalStore(whenLate, anyLate);
  return (
    <div role="status" className="rp-late">
      {late ? (
        <p>
          <IconHourglass size={20} aria-hidden />
          {t`La réponse se fait attendre. Rien n'est perdu : inutile de recommencer.`}
        </p>
      ) : null}
    </div>
  );
}
