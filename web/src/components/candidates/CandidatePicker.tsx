/** Chooses one of the school's candidates by name; people are searched by POST, so no name ever stands in an address. */

import { t } from "@lingui/core/macro";
import { Select } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useState } from "react";
import { candidateSearchQuery, candidatesQuery } from "../../api/candidates.ts";
import type { Candidate, CandidateName } from "../../api/contract/types.ts";
import { fullName } from "../../rules/names.ts";

function mayTake(candidate: Candidate, category: string): boolean {
  return candidate.mandates.some((mandate) => mandate.state === "active" && mandate.category === category);
}

export function CandidatePicker({
  label,
  hiddenLabel = false,
  category,
  value,
  exclude = [],
  readOnly = false,
  onChange,
}: {
  label: string;
  hiddenLabel?: boolean;
  category: string;
  value: CandidateName | null;
  /** Already on another line: the same candidate stands on one line only (R-NAMED). */
  exclude?: readonly string[];
  readOnly?: boolean;
  onChange: (candidate: CandidateName | null) => void;
}) {
  const [typed, setTyped] = useState("");
  const wanted = useDeferredValue(value && typed === value.displayName ? "" : typed.trim());
  const known = useInfiniteQuery(candidatesQuery);
  const found = useInfiniteQuery(candidateSearchQuery(wanted));
  const people = useMemo(() => {
    const all = [
      ...(known.data?.pages.flatMap((page) => page.items) ?? []),
      ...(found.data?.pages.flatMap((page) => page.items) ?? []),
    ];
    return [...new Map(all.map((candidate) => [candidate.id, candidate])).values()];
  }, [known.data, found.data]);
  const options = useMemo(() => {
    const listed = people.map((candidate) => {
      const able = mayTake(candidate, category);
      const taken = exclude.includes(candidate.id);
      const name = fullName(candidate);
      const why = taken ? t`déjà sur une ligne` : able ? undefined : t`pas de mandat ${category} actif`;
      return { value: candidate.id, label: why ? `${name} (${why})` : name, disabled: why !== undefined };
    });
    if (value && !listed.some((option) => option.value === value.id)) {
      listed.unshift({ value: value.id, label: value.displayName, disabled: false });
    }
    return listed.sort((a, b) => Number(a.disabled) - Number(b.disabled));
  }, [people, category, exclude, value]);
  return (
    <Select
      {...(hiddenLabel ? { "aria-label": label } : { label })}
      placeholder={t`Nommer le candidat`}
      description={found.hasNextPage ? t`D'autres portent ce nom : ajoutez le prénom, ou le NEPH.` : undefined}
      data={options}
      value={value?.id ?? null}
      searchable
      clearable={!readOnly}
      readOnly={readOnly}
      clearButtonProps={{ "aria-label": t`Retirer le nom` }}
      onSearchChange={setTyped}
      onChange={(id, option) => onChange(id && option ? { id, displayName: option.label } : null)}
      nothingFoundMessage={found.isFetching ? t`Recherche…` : t`Aucun candidat. Créez-le dans « Candidats ».`}
      maxDropdownHeight={280}
      comboboxProps={{ withinPortal: true }}
      autoComplete="off"
    />
  );
}
