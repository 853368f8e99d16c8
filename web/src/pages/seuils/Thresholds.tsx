/** What the school may still take: per department, month and licence group; the figure, its parts and when it changes. */
import { t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import { thresholdsQuery } from "../../api/queries.ts";
import type { Threshold } from "../../api/types.ts";
import { Empty, Loaded } from "../../parts/Loading.tsx";
import { Notice } from "../../parts/Notice.tsx";
import { PageTitle } from "../../parts/PageTitle.tsx";
import { departmentName } from "../../rules/departments.ts";
import { effectiveLimit } from "../../rules/threshold.ts";
import { monthLong, parisMoment } from "../../time/format.ts";

export function Thresholds() {
  const query = useQuery(thresholdsQuery);
  return (
    <div className="rp-stack">
      <PageTitle>{t`Seuils`}</PageTitle>
      <p className="rp-muted">
        {t`Chaque mois, une école peut prendre un nombre de créneaux par formateur à temps plein. Le plus bas des chiffres compte.`}
      </p>
      <Loaded query={query} rows={3} height={160}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty title={t`Pas encore de seuil`}>
              {t`RdvPermis ou votre déclaration de formateurs ne l'a pas encore donné. Il se calcule vers le 25 du mois.`}
            </Empty>
          ) : (
            <div className="rp-cards">
              {page.items.map((threshold) => (
                <Card key={`${threshold.department}/${threshold.month}/${threshold.category}`} threshold={threshold} />
              ))}
            </div>
          )
        }
      </Loaded>
    </div>
  );
}

function Card({ threshold }: { threshold: Threshold }) {
  const { taken, limit, pacedLimit, rdvpermisLimit, fte, ratePerFte, nextChangeAt } = threshold;
  const now = effectiveLimit(threshold);
  const left = Math.max(0, now - taken);
  const share = now > 0 ? taken / now : 1;
  const month = monthLong(threshold.month);
  const place = departmentName(threshold.department);
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
  return (
    <section className="rp-card" aria-label={`${place}, ${threshold.category}, ${month}`}>
      <h2>
        {place}, {threshold.category}
      </h2>
      <p className="rp-muted">{month}</p>
      <p>
        <strong>{t`Reste ${left}`}</strong> {t`(${taken} pris ou retenus sur ${now})`}
      </p>
      <Meter taken={taken} paced={now} limit={Math.max(limit, now, taken, 1)} />
      {left === 0 ? (
        <Notice level="danger">
          <p>
            {t`Seuil de ${month} atteint : ${taken} sur ${now}.`}{" "}
            {nextChangeAt ? t`Suite le ${parisMoment(nextChangeAt)}.` : null}
          </p>
        </Notice>
      ) : share >= 0.8 ? (
        <Notice level="warning">
          <p>{t`Plus de 80 % du seuil est pris.`}</p>
        </Notice>
      ) : null}
      <dl className="rp-facts rp-small">
        <dt>{t`Seuil du mois`}</dt>
        <dd>{t`${limit} (${number.format(ratePerFte)} × ${number.format(fte)} formateurs à temps plein)`}</dd>
        <dt>{t`Plafond d'aujourd'hui`}</dt>
        <dd>
          {pacedLimit}
          {nextChangeAt ? t`, change le ${parisMoment(nextChangeAt)}` : null}
        </dd>
        <dt>{t`Selon RdvPermis`}</dt>
        <dd>{rdvpermisLimit ?? t`non communiqué`}</dd>
      </dl>
    </section>
  );
}

/** The same figures as a bar; the words beside it say all, so it is hidden from screen readers. */
function Meter({ taken, paced, limit }: { taken: number; paced: number; limit: number }) {
  const width = (value: number) => (Math.min(value, limit) / limit) * 100;
  return (
    <div className="rp-meter" aria-hidden="true">
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="presentation">
        <rect x="0" y="0" width={width(taken)} height="10" fill="var(--rp-held)" />
        <rect x={Math.max(0, width(paced) - 0.5)} y="0" width="1" height="10" fill="var(--rp-waiting)" />
      </svg>
    </div>
  );
}
