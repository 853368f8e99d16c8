/**
 * The proposal: it fills after the opening, from what is seen, and never presses. A pointer or a key put down on it freezes it:
 * what was shown is what is sent (rule 4).
 */
import { plural, t } from "@lingui/core/macro";
import { Checkbox } from "@mantine/core";
import { useEffect, useState } from "react";
import type { Slot } from "../../api/contract/types.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { living, propose, type Row, type Wish } from "../../rules/opening/proposal.ts";
import { examShort } from "../../time/format.ts";
import { useCandidate } from "./Wishes.tsx";

/** What a proposal shows, as text: a read that gives the same changes nothing. */
function fingerprint(rows: readonly Row[]): string {
  return JSON.stringify(rows.map((row) => [row.candidateId, row.slot.id, row.slot.status, row.slot.allowed]));
}

/** Rows over successive reads, frozen while a pointer or key is down or an answer is awaited. */
export function useProposal(wishes: readonly Wish[], slots: readonly Slot[], most: number, asking: boolean) {
  const [kept, setKept] = useState<readonly Row[]>([]);
  const [down, setDown] = useState(false);
  const frozen = down || asking;
  const next = frozen ? kept : propose(kept, wishes, slots, most);
  // What is drawn is what the next read starts from.
  if (fingerprint(next) !== fingerprint(kept)) setKept(next);
  useEffect(() => {
    if (!down) return;
    // The click comes with the release: what is frozen is sent before it thaws.
    const thaw = () => setTimeout(() => setDown(false), 0);
    window.addEventListener("pointerup", thaw);
    window.addEventListener("pointercancel", thaw);
    window.addEventListener("keyup", thaw);
    window.addEventListener("blur", thaw);
    return () => {
      window.removeEventListener("pointerup", thaw);
      window.removeEventListener("pointercancel", thaw);
      window.removeEventListener("keyup", thaw);
      window.removeEventListener("blur", thaw);
    };
  }, [down]);
  return { rows: next, freeze: () => setDown(true) };
}

export function Proposal({
  rows,
  open,
  seen,
  busy,
  onFreeze,
  onHold,
}: {
  rows: readonly Row[];
  open: boolean;
  seen: boolean;
  busy: boolean;
  onFreeze: () => void;
  onHold: (rows: readonly Row[]) => void;
}) {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const wanted = rows.filter((row) => living(row) && !left.has(row.slot.id));
  return (
    // The keys and pointers are watched on their way to the button; the box itself is no control.
    <div className="rp-card rp-proposal" onPointerDownCapture={onFreeze} onKeyDownCapture={onFreeze}>
      <h2>{t`Proposition`}</h2>
      <div className="rp-proposal__box">
        {rows.length === 0 ? (
          <p className="rp-muted">
            {!open
              ? t`Vide jusqu'à l'ouverture, elle se remplit ensuite des créneaux publiés par RdvPermis.`
              : seen
                ? t`Aucun créneau ouvert ne convient aux souhaits.`
                : t`L'heure est passée. Nous vérifions chez RdvPermis ce qui vient d'ouvrir.`}
          </p>
        ) : (
          <ol className="rp-proposal__rows" aria-label={t`Proposition`}>
            {rows.map((row) => (
              <ProposalRow
                key={`${row.candidateId}/${row.slot.id}`}
                row={row}
                checked={!left.has(row.slot.id)}
                onToggle={() => {
                  const next = new Set(left);
                  if (!next.delete(row.slot.id)) next.add(row.slot.id);
                  setLeft(next);
                }}
              />
            ))}
          </ol>
        )}
      </div>
      <div className="rp-row">
        <ActionButton
          main
          size="md"
          busy={busy}
          blocked={wanted.length === 0 ? t`Rien à retenir pour l'instant.` : undefined}
          onAct={() => onHold(wanted)}
        >
          {plural(wanted.length, { 0: "Retenir", one: "Retenir ce créneau", other: "Retenir ces # créneaux" })}
        </ActionButton>
        <strong>{t`Rien ne part sans votre clic.`}</strong>
      </div>
    </div>
  );
}

function ProposalRow({ row, checked, onToggle }: { row: Row; checked: boolean; onToggle: () => void }) {
  const candidate = useCandidate(row.candidateId);
  const who = candidate ? `${candidate.firstName.slice(0, 1)}. ${candidate.lastName}` : "…";
  const what = `${examShort(row.slot.startsAt)}, ${row.slot.centre.name}`;
  return (
    <li className="rp-proposal__row">
      {living(row) ? (
        <Checkbox checked={checked} onChange={onToggle} label={`${what}, ${who}`} />
      ) : (
        <span className="rp-row">
          <StatusMark tone="closed">{t`pris`}</StatusMark>
          <span className="rp-muted">
            {what}, {who}
          </span>
        </span>
      )}
    </li>
  );
}
