import { t } from "@lingui/core/macro";
import { Checkbox } from "@mantine/core";
import { CATEGORIES } from "../../rules/departments.ts";

/** Licence groups, several at once. */
export function Categories({ value, onChange }: { value: readonly string[]; onChange: (next: string[]) => void }) {
  return (
    <fieldset className="rp-fieldset rp-row">
      <legend>{t`Permis`}</legend>
      {CATEGORIES.map((category) => (
        <Checkbox
          key={category}
          label={category}
          checked={value.includes(category)}
          onChange={(event) =>
            onChange(event.currentTarget.checked ? [...value, category] : value.filter((one) => one !== category))
          }
        />
      ))}
    </fieldset>
  );
}
