/** The figures that the rules rest on: in force, decided for later, and waiting for a second person. */
import { t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import type { Parameter } from "../../api/contract/types.ts";
import { parametersQuery } from "../../api/thresholds.ts";
import { Loaded } from "../../components/Loading.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { departmentName } from "../../rules/departments.ts";
import { parameterName, parameterValue, replacedBy } from "../../rules/school/parameters.ts";
import { dayFull, parisMoment } from "../../time/format.ts";

function keyOf({ name, department, category, validFrom, state }: Parameter): string {
  return [name, department, category, validFrom, state].join("/");
}

function placeOf({ department, category }: Parameter): string {
  const place = department ? departmentName(department) : t`partout`;
  return category ? `${place}, ${category}` : place;
}

export function Parameters() {
  const query = useQuery(parametersQuery);
  return (
    <section className="rp-stack rp-stack--tight" aria-label={t`Règles en vigueur`}>
      <h2>{t`Règles en vigueur`}</h2>
      <p className="rp-muted">
        {t`Chaque refus vient d'une de ces règles. Une personne propose de la modifier, une autre l'approuve, et le changement est annoncé à l'avance.`}
      </p>
      <Loaded query={query} rows={3}>
        {({ items }) => {
          const coming = items
            .filter((one) => one.state !== "in_force")
            .sort((a, b) => (a.validFrom ?? "").localeCompare(b.validFrom ?? ""));
          const known = items
            .filter((one) => one.state === "in_force")
            .sort((a, b) => parameterName(a.name).localeCompare(parameterName(b.name)));
          return (
            <>
              {coming.length > 0 ? (
                <ul className="rp-plain-list rp-card">
                  {coming.map((one) => (
                    <Coming key={keyOf(one)} parameter={one} now={replacedBy(one, known)} />
                  ))}
                </ul>
              ) : (
                <p>{t`Aucun changement annoncé.`}</p>
              )}
              <details>
                <summary className="rp-summary">{t`Toutes les valeurs en vigueur`}</summary>
                <div className="rp-table-box">
                  <table className="rp-table rp-table--days">
                    <thead>
                      <tr>
                        <th scope="col">{t`Règle`}</th>
                        <th scope="col">{t`Valeur`}</th>
                        <th scope="col">{t`Où`}</th>
                        <th scope="col">{t`Depuis`}</th>
                      </tr>
                    </thead>
                    <tbody>
                      {known.map((one) => (
                        <tr key={keyOf(one)}>
                          <th scope="row">{parameterName(one.name)}</th>
                          <td data-label={t`Valeur`}>{parameterValue(one)}</td>
                          <td data-label={t`Où`}>{placeOf(one)}</td>
                          <td data-label={t`Depuis`}>{one.validFrom ? dayFull(one.validFrom) : ""}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              </details>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Coming({ parameter, now }: { parameter: Parameter; now: Parameter | undefined }) {
  const value = parameterValue(parameter);
  const when = parameter.validFrom ? parisMoment(parameter.validFrom) : "";
  return (
    <li className="rp-row">
      <StatusMark tone={parameter.state === "to_come" ? "held" : "waiting"}>
        {parameter.state === "to_come" ? t`décidé` : t`attend une seconde personne`}
      </StatusMark>
      <span>
        <strong>{parameterName(parameter.name)}</strong> ({placeOf(parameter)}) :{" "}
        {now ? t`${parameterValue(now)} aujourd'hui, ${value} à partir du ${when}` : t`${value} à partir du ${when}`}
      </span>
    </li>
  );
}
