/**
 * Says that an answer is late that a person waits for: of an act, or of a first reading. What is read again beside what is shown is not
 * waited for: its age stands there. Over everything, a dialog too, and without taking a press.
 */
import { t } from "@lingui/core/macro";
import { IconHourglass } from "@tabler/icons-react";
import { useIsFetching, useIsMutating } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { anyLate, whenLate } from "../../api/contract/late.ts";

export function Late() {
  const late = useSyncExternalStore(whenLate, anyLate);
  const acts = useIsMutating();
  const firstReadings = useIsFetching({ predicate: ({ state }) => state.status === "pending" });
  return (
    <div role="status" className="rp-late">
      {late && acts + firstReadings > 0 ? (
        <p>
          <IconHourglass size={20} aria-hidden />
          {t`La réponse se fait attendre. Rien n'est perdu : inutile de recommencer.`}
        </p>
      ) : null}
    </div>
  );
}
