/** How the exams went, by month and licence: figures, their table, and what is still awaited. No candidate is named here. */
import { plural, t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { resultsQuery } from "../../api/bookings.ts";
import type { ResultCount } from "../../api/contract/types.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { addMonths, todayInParis } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";
import { monthLong } from "../../time/format.ts";

interface Total {
  passed: number;
  failed: number;
  absent: number;
  awaited: number;
}

export function total(counts: readonly ResultCount[]): Total {
  return counts.reduce<Total>(
    (sum, one) => ({
      passed: sum.passed + one.passed,
      failed: sum.failed + one.failed,
      absent: sum.absent + one.absent,
      awaited: sum.awaited + one.awaited,
    }),
    { passed: 0, failed: 0, absent: 0, awaited: 0 },
  );
}

/** Passes of what was taken, in whole percent; undefined where nothing was. Absences are no try. */
export function passRate({ passed, failed }: Pick<Total, "passed" | "failed">): number | undefined {
  return passed + failed === 0 ? undefined : Math.round((passed / (passed + failed)) * 100);
}

/** "11 réussis, 7 échoués, 1 absence, 1 attendu" */
export function inWords({ passed, failed, absent, awaited }: Total): string {
  return [
    plural(passed, { one: "# réussi", other: "# réussis" }),
    plural(failed, { one: "# échoué", other: "# échoués" }),
    plural(absent, { one: "# absence", other: "# absences" }),
    plural(awaited, { one: "# attendu", other: "# attendus" }),
  ].join(", ");
}

export function Results() {
  const [last] = useState(() => todayInParis(serverClock.now()).slice(0, 7));
  const query = useQuery(resultsQuery(addMonths(last, -11), last));
  return (
    <div className="rp-stack rp-tab">
      <Loaded query={query} rows={5}>
        {({ items }) => {
          const sum = total(items);
          const rate = passRate(sum);
          if (items.length === 0) {
            return (
              <Empty title={t`Pas encore de résultat`}>
                {t`RdvPermis publie les résultats sous 48 h. Ils s'afficheront ici automatiquement.`}
              </Empty>
            );
          }
          const ordered = [...items].sort(
            (a, b) =>
              b.month.localeCompare(a.month) || a.category.localeCompare(b.category) || a.kind.localeCompare(b.kind),
          );
          return (
            <>
              <p>
                {rate === undefined ? null : <strong>{t`${rate} % de réussite sur douze mois`}</strong>}{" "}
                <span className="rp-muted">{inWords(sum)}</span>
              </p>
              <div className="rp-table-box">
                <table className="rp-table rp-table--days">
                  <thead>
                    <tr>
                      <th scope="col">{t`Mois`}</th>
                      <th scope="col">{t`Permis`}</th>
                      <th scope="col">{t`Épreuve`}</th>
                      <th scope="col" className="rp-number">{t`Réussis`}</th>
                      <th scope="col" className="rp-number">{t`Échoués`}</th>
                      <th scope="col" className="rp-number">{t`Absences`}</th>
                      <th scope="col" className="rp-number">{t`Attendus`}</th>
                      <th scope="col" className="rp-number">{t`Réussite`}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {ordered.map((one) => (
                      <Row key={`${one.month}/${one.category}/${one.kind}`} count={one} />
                    ))}
                  </tbody>
                </table>
              </div>
              <p className="rp-small rp-muted">{t`Le taux de réussite porte sur les examens passés : une absence n'est pas comptée.`}</p>
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function Row({ count }: { count: ResultCount }) {
  const rate = passRate(count);
  return (
    <tr>
      <th scope="row">{monthLong(count.month)}</th>
      <td data-label={t`Permis`}>{count.category}</td>
      <td data-label={t`Épreuve`}>{count.kind === "PLATEAU" ? t`plateau` : t`circulation`}</td>
      <td className="rp-number" data-label={t`Réussis`}>
        {count.passed}
      </td>
      <td className="rp-number" data-label={t`Échoués`}>
        {count.failed}
      </td>
      <td className="rp-number" data-label={t`Absences`}>
        {count.absent}
      </td>
      <td className="rp-number" data-label={t`Attendus`}>
        {count.awaited}
      </td>
      <td className="rp-number" data-label={t`Réussite`}>
        {rate === undefined ? t`aucun examen passé` : `${rate} %`}
      </td>
    </tr>
  );
}
