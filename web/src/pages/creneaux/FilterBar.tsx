import { t } from "@lingui/core/macro";
import { Checkbox, NativeSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { centresQuery } from "../../api/queries.ts";
import { CATEGORIES, DEPARTMENTS, departmentName } from "../../rules/departments.ts";
import type { Filters, SlotSearch } from "../../rules/filters.ts";
import { dayShort } from "../../time/format.ts";

/** Fields as people fill them: native pickers where the phone has a good one. */
export function FilterBar({
  filters,
  folded,
  onChange,
}: {
  filters: Filters;
  /** On a phone the slots come first: the fields stay behind one line that says what they ask. */
  folded: boolean;
  onChange: (next: Partial<SlotSearch>) => void;
}) {
  if (!folded) return <Fields filters={filters} onChange={onChange} />;
  const when = `${dayShort(filters.from)} – ${dayShort(filters.to)}`;
  return (
    <details className="rp-folded">
      <summary>
        {t`Filtres`}{" "}
        <span className="rp-muted">{`${departmentName(filters.department)}, ${filters.category}, ${when}`}</span>
      </summary>
      <Fields filters={filters} onChange={onChange} />
    </details>
  );
}

function Fields({ filters, onChange }: { filters: Filters; onChange: (next: Partial<SlotSearch>) => void }) {
  const centres = useQuery(centresQuery(filters.department, filters.category));
  const all = (centres.data?.items ?? []).map((centre) => centre.id);
  /** None named in the address means all: so the last one cannot be taken away, it brings all back. */
  const without = (id: string): string | undefined => {
    const before = filters.centres.length === 0 ? all : filters.centres;
    const after = before.includes(id) ? before.filter((one) => one !== id) : [...before, id];
    return after.length === 0 || after.length === all.length ? undefined : after.join(",");
  };
  const hours = Array.from({ length: 25 }, (_, index) => index);
  return (
    <search className="rp-filters" aria-label={t`Filtres`}>
      <NativeSelect
        data-search
        label={t`Département`}
        value={filters.department}
        onChange={(event) => onChange({ departement: event.currentTarget.value, centres: undefined })}
        data={[...DEPARTMENTS].map(([code, name]) => ({ value: code, label: `${code} ${name}` }))}
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
        value={String(filters.inRow)}
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
      {centres.data && centres.data.items.length > 1 ? (
        <fieldset className="rp-filters__wide rp-row">
          <legend>{t`Centres`}</legend>
          {centres.data.items.map((centre) => (
            <Checkbox
              key={centre.id}
              label={centre.name}
              checked={filters.centres.length === 0 || filters.centres.includes(centre.id)}
              onChange={() => onChange({ centres: without(centre.id) })}
            />
          ))}
        </fieldset>
      ) : null}
    </search>
  );
}
