import { t } from "@lingui/core/macro";
import { Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useState } from "react";
import { CATEGORIES, DEPARTMENTS, departmentName } from "../../../rules/departments.ts";
import { DISTANCES, EVERYWHERE, type Filters, type SlotSearch } from "../../../rules/search/filters.ts";
import { addDays } from "../../../time/calendar.ts";
import { dayShort, weekdayShort } from "../../../time/format.ts";
import { CentreChoice } from "./CentreChoice.tsx";

/** Fields as people fill them: native pickers where the phone has a good one. */
export function FilterBar({
  filters,
  folded,
  onChange,
}: {
  filters: Filters;
  /** On a phone the slots come first: the fields stay behind one line that sums them up. */
  folded: boolean;
  onChange: (next: Partial<SlotSearch>) => void;
}) {
  if (!folded) return <Fields filters={filters} onChange={onChange} />;
  const when = `${dayShort(filters.from)} – ${dayShort(filters.to)}`;
  return (
    <details className="rp-folded">
      <summary>
        {t`Filtres`}{" "}
        <span className="rp-muted">{`${filters.department ? departmentName(filters.department) : t`autour de l'école`}, ${filters.category}, ${when}`}</span>
      </summary>
      <Fields filters={filters} onChange={onChange} />
    </details>
  );
}

function Fields({ filters, onChange }: { filters: Filters; onChange: (next: Partial<SlotSearch>) => void }) {
  const hours = Array.from({ length: 25 }, (_, index) => index);
  return (
    <search className="rp-filters" aria-label={t`Filtres`}>
      <NativeSelect
        data-search
        label={t`Département`}
        value={filters.department || EVERYWHERE}
        onChange={(event) => onChange({ departement: event.currentTarget.value, centres: undefined })}
        data={[
          ...(filters.withinKm ? [{ value: EVERYWHERE, label: t`tous, autour de l'école` }] : []),
          ...[...DEPARTMENTS].map(([code, name]) => ({ value: code, label: `${code} ${name}` })),
        ]}
      />
      <NativeSelect
        label={t`Permis`}
        value={filters.category}
        onChange={(event) => onChange({ categorie: event.currentTarget.value, centres: undefined })}
        data={[...CATEGORIES]}
      />
      <TextInput
        type="date"
        label={t`Du`}
        value={filters.from}
        onChange={(event) => onChange({ du: event.currentTarget.value || undefined })}
      />
      <TextInput
        type="date"
        label={t`Au`}
        min={filters.from}
        value={filters.to}
        onChange={(event) => onChange({ au: event.currentTarget.value || undefined })}
      />
      <NativeSelect
        label={t`Dès`}
        value={String(filters.fromHour)}
        onChange={(event) =>
          onChange({ de: event.currentTarget.value === "0" ? undefined : event.currentTarget.value })
        }
        data={hours.slice(0, 24).map((value) => ({ value: String(value), label: `${value} h` }))}
      />
      <NativeSelect
        label={t`Avant`}
        value={String(filters.toHour)}
        onChange={(event) =>
          onChange({ a: event.currentTarget.value === "24" ? undefined : event.currentTarget.value })
        }
        data={hours.slice(filters.fromHour + 1).map((value) => ({ value: String(value), label: `${value} h` }))}
      />
      <NativeSelect
        label={t`À la suite`}
        value={String(filters.consecutive)}
        onChange={(event) =>
          onChange({ suite: event.currentTarget.value === "1" ? undefined : event.currentTarget.value })
        }
        data={[
          { value: "1", label: t`peu importe` },
          { value: "2", label: t`2 créneaux` },
          { value: "3", label: t`3 créneaux` },
          { value: "4", label: t`4 créneaux` },
        ]}
      />
      <CentreChoice filters={filters} onChange={onChange} />
      <More filters={filters} onChange={onChange} />
    </search>
  );
}

/** Rarely used filters stay behind one line, open where the address already has one of them. */
function More({ filters, onChange }: { filters: Filters; onChange: (next: Partial<SlotSearch>) => void }) {
  const used = [filters.withinKm, filters.kind, filters.openNow || filters.opensBefore, filters.weekdays[0]].filter(
    Boolean,
  ).length;
  const [start] = useState(used > 0);
  return (
    <details className="rp-filters__wide rp-more" open={start}>
      <summary>
        {t`Autres filtres`} {used > 0 ? <span className="rp-count">{used}</span> : null}
      </summary>
      <div className="rp-more__fields">
        <NativeSelect
          label={t`Distance`}
          value={String(filters.withinKm ?? "")}
          onChange={(event) => onChange({ km: event.currentTarget.value || undefined })}
          data={[
            { value: "", label: t`peu importe` },
            ...DISTANCES.map((km) => ({ value: km, label: t`moins de ${km} km` })),
          ]}
        />
        <NativeSelect
          label={t`Épreuve`}
          value={filters.kind?.toLowerCase() ?? ""}
          onChange={(event) => onChange({ epreuve: (event.currentTarget.value || undefined) as SlotSearch["epreuve"] })}
          data={[
            { value: "", label: t`toutes` },
            { value: "circulation", label: t`circulation` },
            { value: "plateau", label: t`plateau` },
          ]}
        />
        <NativeSelect
          label={t`Ouverture`}
          value={filters.openNow ? "oui" : filters.opensBefore ? "avant" : ""}
          onChange={(event) => {
            const wanted = event.currentTarget.value;
            onChange({
              ouverts: wanted === "oui" ? "oui" : undefined,
              avant: wanted === "avant" ? addDays(filters.from, 3) : undefined,
            });
          }}
          data={[
            { value: "", label: t`ouverts ou non` },
            { value: "oui", label: t`ouverts maintenant` },
            { value: "avant", label: t`ouverts d'ici le…` },
          ]}
        />
        {filters.opensBefore ? (
          <TextInput
            type="date"
            label={t`Ouverts d'ici le`}
            value={filters.opensBefore}
            onChange={(event) => onChange({ avant: event.currentTarget.value || undefined })}
          />
        ) : null}
        <fieldset className="rp-filters__wide rp-row">
          <legend>{t`Jours`}</legend>
          {WEEK.map((monday, index) => {
            const number = index + 1;
            const on = filters.weekdays.length === 0 || filters.weekdays.includes(number);
            return (
              <Checkbox
                key={monday}
                label={weekdayShort(monday)}
                checked={on}
                onChange={() => onChange({ jours: toggled(filters.weekdays, number) })}
              />
            );
          })}
        </fieldset>
      </div>
    </details>
  );
}

/** Days of some week, for their names. */
const WEEK = Array.from({ length: 7 }, (_, index) => addDays("2026-12-07", index));

/** None named means all: so the last one taken away brings all back. */
export function toggled(weekdays: readonly number[], number: number): string | undefined {
  const before = weekdays.length === 0 ? [1, 2, 3, 4, 5, 6, 7] : weekdays;
  const after = before.includes(number) ? before.filter((one) => one !== number) : [...before, number];
  return after.length === 0 || after.length === 7 ? undefined : after.sort().join(",");
}
