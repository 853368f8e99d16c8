/** Conflicts of a held line, named before it is validated. */
import { t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import { checkQuery } from "../../api/basket.ts";
import type { Line, Need } from "../../api/contract/types.ts";
import { Needs } from "../../components/Needs.tsx";
import { Notice } from "../../components/Notice.tsx";
import { conflictsOf } from "../../rules/answers/conflicts.ts";

/** The rules that refuse one line; empty while not known. A line without a name has nothing to check yet. */
export function useConflicts(line: Line): Need[] {
  const checkable = line.state === "held" && Boolean(line.candidate);
  const check = useQuery({
    ...checkQuery([
      {
        slotId: line.slot.id,
        ...(line.candidate ? { candidateId: line.candidate.id } : {}),
        ...(line.trainerId ? { trainerId: line.trainerId } : {}),
        ...(line.vehicleId ? { vehicleId: line.vehicleId } : {}),
      },
    ]),
    staleTime: 30_000,
    enabled: checkable,
  });
  return checkable ? conflictsOf(check.data?.lines[0]?.needs ?? [], line.id) : [];
}

export function Conflicts({ line }: { line: Line }) {
  const needs = useConflicts(line);
  if (needs.length === 0) return null;
  return (
    <Notice level="warning">
      <strong>{t`À régler avant de valider`}</strong>
      <Needs needs={needs} />
    </Notice>
  );
}
