/** What the school may still take: per department, month and licence group; the figure, how it is made up and when it changes. */
import { plural, t } from "@lingui/core/macro";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Threshold } from "../../api/contract/types.ts";
import { thresholdsQuery } from "../../api/thresholds.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { Notice } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { departmentName } from "../../rules/departments.ts";
import { figure } from "../../rules/figures.ts";
import { effectiveLimit, nobodyCounted } from "../../rules/school/threshold.ts";
import { dayFull, monthLong, ofMonth, parisMoment } from "../../time/format.ts";
import { Parameters } from "./Parameters.tsx";

export function Thresholds() {
  const query = useQuery(thresholdsQuery);
  return (
    <div className="rp-stack">
      <PageTitle>{t`Seuils`}</PageTitle>
      <p className="rp-muted">
        {t`Le seuil est le nombre de créneaux que votre école peut prendre dans un mois, selon ses formateurs à temps plein. Le plafond est la part du seuil déjà accessible : il monte au fil du mois, jusqu'au seuil.`}
      </p>
      <Loaded query={query} rows={3} height={160}>
        {(page) =>
          page.items.length === 0 ? (
            <Empty title={t`Pas encore de seuil`}>
              {t`RdvPermis ou votre déclaration de formateurs ne l'a pas encore donné. Il se calcule vers le 25 du mois.`}
            </Empty>
          ) : (
            <>
              {page.items.some(nobodyCounted) ? <Undeclared /> : null}
              <div className="rp-cards">
                {page.items.map((threshold) => (
                  <Card
                    key={`${threshold.department}/${threshold.month}/${threshold.category}`}
                    threshold={threshold}
                  />
                ))}
              </div>
            </>
          )
        }
      </Loaded>
      <Parameters />
    </div>
  );
}

/** Said once, however many months wait for it. */
function Undeclared() {
  return (
    <Notice level="warning">
      <p>
        {t`Seuil inconnu : aucun formateur n'est compté, et rien ne peut être retenu.`}{" "}
        <Link to="/equipe" search={{ onglet: "heures" }}>{t`Déclarez vos heures`}</Link>
      </p>
    </Notice>
  );
}

function Card({ threshold }: { threshold: Threshold }) {
  const { taken, limit, pacedLimit, rdvpermisLimit, ownLimit, held, elsewhere, left, leftToday, nextChangeAt } =
    threshold;
  const now = effectiveLimit(threshold);
  const booked = Math.max(0, taken - held - elsewhere);
  const month = monthLong(threshold.month);
  const place = departmentName(threshold.department);
  const next = nextChangeAt ? parisMoment(nextChangeAt) : "";
  return (
    <section className="rp-card" aria-label={`${place}, ${threshold.category}, ${month}`}>
      <h2>
        {place}, {threshold.category}
      </h2>
      <p className="rp-muted">{month}</p>
      {nobodyCounted(threshold) ? (
        <p className="rp-left">
          <strong>{t`Seuil inconnu`}</strong>
        </p>
      ) : (
        <>
          <p className="rp-left">
            <span>
              <strong>{t`Reste ${leftToday} aujourd'hui`}</strong>
            </span>
            <span>{t`${left} ce mois-ci, sur ${limit}`}</span>
          </p>
          <Meter taken={taken} paced={now} limit={Math.max(limit, now, taken, 1)} />
          <State threshold={threshold} next={next} />
        </>
      )}
      <dl className="rp-facts rp-small">
        <dt>{t`Réservés`}</dt>
        <dd>{booked}</dd>
        <dt>{t`Retenus`}</dt>
        <dd>
          {plural(held, {
            0: "0",
            one: "#, compté tant qu'il est retenu",
            other: "#, comptés tant qu'ils sont retenus",
          })}
        </dd>
        <dt>{t`Hors ResaPermis`}</dt>
        <dd>{plural(elsewhere, { 0: "0", one: "#, vu chez RdvPermis", other: "#, vus chez RdvPermis" })}</dd>
        <dt>{t`Plafond d'aujourd'hui`}</dt>
        <dd>
          {pacedLimit}
          {next && pacedLimit < limit ? t`, remonte le ${next}` : null}
        </dd>
        <dt>{t`Seuil selon ResaPermis`}</dt>
        <dd>{ownLimit ?? t`pas calculable`}</dd>
        <dt>{t`Seuil selon RdvPermis`}</dt>
        <dd>
          {rdvpermisLimit ?? t`non communiqué`}
          {threshold.difference ? <Difference difference={threshold.difference} /> : null}
        </dd>
        {threshold.replacementsLeft != null && threshold.replacementsPerMonth != null ? (
          <>
            <dt>{t`Remplacements`}</dt>
            <dd>{t`reste ${threshold.replacementsLeft} sur ${threshold.replacementsPerMonth}`}</dd>
          </>
        ) : null}
        <dt>{t`Temps plein`}</dt>
        <dd>
          <FteSource threshold={threshold} />
        </dd>
      </dl>
    </section>
  );
}

function State({ threshold, next }: { threshold: Threshold; next: string }) {
  const { taken, limit, left, leftToday, warnPercent } = threshold;
  if (limit === 0) {
    return (
      <Notice level="warning">
        <p>{t`RdvPermis fixe ce seuil à 0 : vérifiez les formateurs déclarés chez RdvPermis.`}</p>
      </Notice>
    );
  }
  if (left === 0) {
    return (
      <Notice level="danger">
        <p>
          {t`Seuil ${ofMonth(threshold.month)} atteint : ${taken} sur ${limit}.`}{" "}
          {next ? t`De nouveau possible le ${next}.` : null}
        </p>
      </Notice>
    );
  }
  if (leftToday === 0) {
    return (
      <Notice level="warning">
        <p>
          {t`Plafond du moment atteint.`} {next ? t`Il remonte le ${next}.` : null}
        </p>
      </Notice>
    );
  }
  return limit > 0 && (taken / limit) * 100 >= warnPercent ? (
    <Notice level="warning">
      <p>{t`Plus de ${warnPercent} % du seuil est pris.`}</p>
    </Notice>
  ) : null;
}

/** Ours and RdvPermis' figure differ: which one counts, in words. */
function Difference({ difference }: { difference: number }) {
  const by = Math.abs(difference);
  return (
    <>
      {", "}
      {difference < 0
        ? t`${by} de moins que notre calcul : c'est le chiffre de RdvPermis qui s'applique`
        : t`${by} de plus que notre calcul : c'est le nôtre qui s'applique`}
      {". "}
      <Link to="/equipe" search={{ onglet: "heures" }}>{t`Vérifier les heures déclarées`}</Link>
    </>
  );
}

function FteSource({ threshold }: { threshold: Threshold }) {
  const fte = figure(threshold.fte);
  const rate = figure(threshold.ratePerFte);
  const trainers = plural(threshold.fte, {
    one: `${fte} formateur à temps plein`,
    other: `${fte} formateurs à temps plein`,
  });
  const slots = plural(threshold.ratePerFte, { one: `${rate} créneau`, other: `${rate} créneaux` });
  const asOf = threshold.fteAsOf ? dayFull(threshold.fteAsOf) : "";
  if (threshold.fteSource === "unknown") {
    return (
      <>
        {t`inconnu : rien ne peut être pris.`}{" "}
        <Link to="/equipe" search={{ onglet: "heures" }}>{t`Déclarer les heures`}</Link>
      </>
    );
  }
  return (
    <>
      {trainers} × {slots}
      {", "}
      {threshold.fteSource === "hours" ? t`calculé à partir des heures déclarées` : t`déclaré à RdvPermis`}
      {asOf ? `, ${t`au ${asOf}`}` : null}
    </>
  );
}

/** The same figures as a bar; the words beside it are complete, so it is hidden from screen readers. */
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
