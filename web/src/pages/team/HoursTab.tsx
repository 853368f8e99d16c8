/** Hours declared a month, and the full-time figure that follows: the one that counts, and the one that these hours will make. */
import { t } from "@lingui/core/macro";
import { Button, NativeSelect, NumberInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { keys } from "../../api/contract/cache.ts";
import type { Hours, HoursKind, HoursPage, Trainer } from "../../api/contract/types.ts";
import { declareHours, hoursQuery, trainersQuery } from "../../api/school.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { CATEGORIES, departmentName } from "../../rules/departments.ts";
import { figure } from "../../rules/figures.ts";
import { countedMonths, fteOf, missingMonths } from "../../rules/school/fte.ts";
import { addMonths } from "../../time/calendar.ts";
import { dayFull, monthLong, parisMoment } from "../../time/format.ts";
import { useToday } from "./ExpiryMark.tsx";

const KINDS: readonly HoursKind[] = ["practical", "accompanied", "theory"];

function kindWord(kind: HoursKind): string {
  switch (kind) {
    case "practical":
      return t`pratique`;
    case "accompanied":
      return t`conduite accompagnée (× 1,2)`;
    case "theory":
      return t`théorie`;
  }
}

export function HoursTab() {
  const query = useQuery(hoursQuery);
  const trainers = useQuery(trainersQuery);
  return (
    <div className="rp-stack rp-tab">
      <p className="rp-muted">
        {t`Le seuil du mois suit les heures des trois mois pleins qui précèdent : 151,67 h par mois font un temps plein.`}
      </p>
      <Loaded query={query} rows={4}>
        {(page) => (
          <>
            <Figures page={page} />
            {trainers.data && trainers.data.items.length > 0 ? (
              <Declare page={page} trainers={trainers.data.items} />
            ) : trainers.data ? (
              <Empty title={t`Aucun formateur`} action={<Link to="/equipe">{t`Ajouter un formateur`}</Link>}>
                {t`Les heures se déclarent par formateur : ajoutez-les d'abord.`}
              </Empty>
            ) : null}
          </>
        )}
      </Loaded>
    </div>
  );
}

function Figures({ page }: { page: HoursPage }) {
  return (
    <section className="rp-card" aria-label={t`Temps plein`}>
      <h2>{t`Temps plein`}</h2>
      {page.fte.length === 0 ? (
        <p>{t`Pas encore calculé à partir de vos heures : chacun des trois mois doit être déclaré. D'ici là, c'est le chiffre de RdvPermis qui s'applique, s'il est connu.`}</p>
      ) : (
        <ul className="rp-plain-list">
          {page.fte.map((one) => (
            <li key={`${one.department}/${one.category}`}>
              <strong>{t`${figure(one.fte)} temps plein`}</strong>, {departmentName(one.department)}, {one.category}{" "}
              <span className="rp-small rp-muted">
                {t`heures de ${monthLong(one.firstMonth)} à ${monthLong(one.lastMonth)}`}
                {one.computedAt ? `, ${t`calculé le ${dayFull(one.computedAt)}`}` : null}
              </span>
            </li>
          ))}
        </ul>
      )}
      {page.nextAt ? <p className="rp-small rp-muted">{t`Prochain calcul : ${parisMoment(page.nextAt)}.`}</p> : null}
    </section>
  );
}

function declared(hours: readonly Hours[], trainerId: string, month: string, category: string, kind: HoursKind) {
  return hours.find(
    (one) => one.trainerId === trainerId && one.month === month && one.category === category && one.kind === kind,
  )?.hours;
}

/** What is typed takes the place of what was declared for the same trainer, month, licence and kind. */
export function merged(before: readonly Hours[], typed: readonly Hours[]): Hours[] {
  const key = ({ trainerId, month, category, kind }: Hours) => [trainerId, month, category, kind].join("/");
  const replaced = new Set(typed.map(key));
  return [...before.filter((one) => !replaced.has(key(one))), ...typed];
}

/** Hours by trainer, month, licence and kind, "t-1/2026-11/B/theory". */
type Typed = Readonly<Record<string, number>>;

function numbersOf(_blank: Typed, written: object): Typed {
  return Object.fromEntries(Object.entries(written).filter(([, hours]) => typeof hours === "number"));
}

function Declare({ page, trainers }: { page: HoursPage; trainers: readonly Trainer[] }) {
  const client = useQueryClient();
  const today = useToday();
  const months = Array.from({ length: 6 }, (_, back) => addMonths(today.slice(0, 7), -back));
  const [month, setMonth] = useState(months[1] ?? today.slice(0, 7));
  const [category, setCategory] = useState<string>("B");
  const [typed, setTyped] = useDraft<Typed>("hours", {}, numbersOf);
  const people = trainers.filter((one) => one.categories.includes(category));
  const keyOf = (trainerId: string, kind: HoursKind) => `${trainerId}/${month}/${category}/${kind}`;
  const changed: Hours[] = Object.entries(typed).flatMap(([key, hours]) => {
    const [trainerId = "", of = "", group = "", kind] = key.split("/");
    return [{ trainerId, month: of, category: group, kind: kind as HoursKind, hours }];
  });
  const next = page.nextAt ? page.nextAt.slice(0, 7) : today.slice(0, 7);
  const counted = countedMonths(next);
  const ofCategory = (hours: readonly Hours[]) => hours.filter((one) => one.category === category);
  const after = ofCategory(merged(page.items, changed));
  const now = fteOf(ofCategory(page.items), counted);
  const then = fteOf(after, counted);
  const missing = missingMonths(after, counted)
    .map((one) => monthLong(one))
    .join(", ");
  const save = useAct((hours: Hours[]) => declareHours(hours), {
    onSuccess: (answer) => {
      client.setQueryData(hoursQuery.queryKey, answer);
      setTyped({});
      toast(t`Les heures sont déclarées. Les seuils suivent.`);
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.thresholds }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!save.isPending && changed.length > 0) save.mutate(changed);
  };
  return (
    <form className="rp-card" onSubmit={submit} noValidate aria-label={t`Déclarer les heures`}>
      <h2>{t`Déclarer les heures`}</h2>
      <div className="rp-form">
        <NativeSelect
          label={t`Mois`}
          value={month}
          onChange={(event) => setMonth(event.currentTarget.value)}
          data={months.map((one) => ({ value: one, label: monthLong(one) }))}
        />
        <NativeSelect
          label={t`Permis`}
          value={category}
          onChange={(event) => setCategory(event.currentTarget.value)}
          data={[...CATEGORIES]}
        />
      </div>
      {people.length === 0 ? (
        <p className="rp-muted">{t`Aucun formateur n'enseigne ce permis.`}</p>
      ) : (
        <div className="rp-table-box">
          <table className="rp-table rp-table--days">
            <thead>
              <tr>
                <th scope="col">{t`Formateur`}</th>
                {KINDS.map((kind) => (
                  <th key={kind} scope="col">
                    {kindWord(kind)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {people.map((trainer) => (
                <tr key={trainer.id}>
                  <th scope="row">{trainer.displayName}</th>
                  {KINDS.map((kind) => {
                    const key = keyOf(trainer.id, kind);
                    const value = typed[key] ?? declared(page.items, trainer.id, month, category, kind) ?? "";
                    return (
                      <td key={kind} data-label={kindWord(kind)}>
                        <NumberInput
                          aria-label={`${trainer.displayName}, ${kindWord(kind)}, ${monthLong(month)}`}
                          min={0}
                          max={744}
                          decimalScale={2}
                          allowNegative={false}
                          hideControls
                          suffix=" h"
                          value={value}
                          onChange={(entered) => {
                            const { [key]: _before, ...more } = typed;
                            setTyped(typeof entered === "number" ? { ...more, [key]: entered } : more);
                          }}
                        />
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p role="status">
        {missing ? (
          t`Vos heures seront prises en compte pour le permis ${category} quand chacun des trois mois sera déclaré (0 suffit). Manque : ${missing}. D'ici là, c'est le chiffre de RdvPermis qui s'applique.`
        ) : (
          <>
            {t`Au prochain calcul (${monthLong(counted[0] ?? next)} à ${monthLong(counted[2] ?? next)}) : ${figure(then)} temps plein en ${category}`}
            {then === now ? null : t`, au lieu de ${figure(now)}`}
            {"."}
          </>
        )}{" "}
        <span className="rp-small rp-muted">{t`Estimation : le calcul officiel de ResaPermis compte les formateurs actifs.`}</span>
      </p>
      {save.error ? (
        <ProblemNotice error={save.error}>
          <p>{t`Ce que vous avez écrit est gardé.`}</p>
        </ProblemNotice>
      ) : null}
      <div className="rp-row rp-row--end">
        <Button
          type="submit"
          aria-disabled={save.isPending || changed.length === 0 || undefined}
          data-disabled={save.isPending || changed.length === 0 || undefined}
        >
          {save.isPending ? t`Demande envoyée…` : t`Déclarer ces heures`}
        </Button>
      </div>
    </form>
  );
}
