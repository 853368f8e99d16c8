/** Trainers, with RdvPermis' names: what they teach, since when, and until when they are authorised. Thresholds follow at once. */
import { t } from "@lingui/core/macro";
import { Button, NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Trainer } from "../../api/contract/types.ts";
import { trainersQuery } from "../../api/school.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { Notice } from "../../components/Notice.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { departmentName } from "../../rules/departments.ts";
import { expiryOf } from "../../rules/school/expiry.ts";
import { dayDate } from "../../time/format.ts";
import { ExpiryMark, useToday } from "./ExpiryMark.tsx";
import { TrainerDialog } from "./TrainerDialog.tsx";

type Person = Pick<Trainer, "id" | "displayName"> & Partial<Trainer>;

export function Trainers({ mayEdit }: { mayEdit: boolean }) {
  const query = useQuery(trainersQuery);
  const today = useToday();
  const [edited, setEdited] = useState<Person>();
  return (
    <div className="rp-stack rp-tab">
      <Loaded query={query} rows={4}>
        {({ items, others, namesMissing }) => {
          const expiring = items.filter((one) => ["soon", "ended"].includes(expiryOf(one.authorisedUntil, today)));
          return (
            <>
              {namesMissing ? (
                <Notice level="warning">
                  <p>{t`RdvPermis n'a pas transmis les noms : chaque formateur apparaît sous la fin de son identifiant.`}</p>
                </Notice>
              ) : null}
              {expiring.length > 0 ? (
                <Notice level="warning">
                  <p>
                    {t`Autorisation d'enseigner à renouveler : ${expiring.map((one) => one.displayName).join(", ")}.`}{" "}
                    {t`Sans autorisation en vigueur, un formateur ne peut pas accompagner d'examen.`}
                  </p>
                </Notice>
              ) : null}
              {items.length === 0 ? (
                <Empty title={t`Aucun formateur`}>
                  {t`Ajoutez vos formateurs : le seuil du mois dépend d'eux, et ils accompagnent les examens.`}
                </Empty>
              ) : (
                <div className="rp-table-box">
                  <table className="rp-table rp-table--days">
                    <thead>
                      <tr>
                        <th scope="col">{t`Nom`}</th>
                        <th scope="col">{t`Permis`}</th>
                        <th scope="col">{t`Actif`}</th>
                        <th scope="col">{t`Autorisation d'enseigner`}</th>
                        {mayEdit ? (
                          <th scope="col">
                            <span className="rp-visually-hidden">{t`Actions`}</span>
                          </th>
                        ) : null}
                      </tr>
                    </thead>
                    <tbody>
                      {items.map((trainer) => (
                        <tr key={trainer.id}>
                          <th scope="row">{trainer.displayName}</th>
                          <td data-label={t`Permis`}>
                            {trainer.categories.join(", ")} ({departmentName(trainer.department)})
                          </td>
                          <td data-label={t`Actif`}>
                            <Active trainer={trainer} today={today} />
                          </td>
                          <td data-label={t`Autorisation d'enseigner`}>
                            <ExpiryMark lastDay={trainer.authorisedUntil} />
                          </td>
                          {mayEdit ? (
                            <td>
                              <Button
                                variant="subtle"
                                aria-label={t`Modifier ${trainer.displayName}`}
                                onClick={() => setEdited(trainer)}
                              >
                                {t`Modifier`}
                              </Button>
                            </td>
                          ) : null}
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )}
              {mayEdit && others.length > 0 ? <Adding others={others} onPick={setEdited} /> : null}
            </>
          );
        }}
      </Loaded>
      {edited ? <TrainerDialog person={edited} onClose={() => setEdited(undefined)} /> : null}
    </div>
  );
}

function Active({ trainer, today }: { trainer: Trainer; today: string }) {
  const { activeFrom, activeUntil } = trainer;
  if (activeUntil && activeUntil < today)
    return <StatusMark tone="closed">{t`n'enseigne plus depuis le ${dayDate(activeUntil)}`}</StatusMark>;
  if (activeFrom && activeFrom > today)
    return <StatusMark tone="waiting">{t`dès le ${dayDate(activeFrom)}`}</StatusMark>;
  return (
    <span>
      {activeFrom ? t`depuis le ${dayDate(activeFrom)}` : t`oui`}
      {activeUntil ? `, ${t`jusqu'au ${dayDate(activeUntil)}`}` : null}
    </span>
  );
}

function Adding({
  others,
  onPick,
}: {
  others: readonly { id: string; displayName: string }[];
  onPick: (person: Person) => void;
}) {
  const [wanted, setWanted] = useState(others[0]?.id ?? "");
  const person = others.find((one) => one.id === wanted) ?? others[0];
  return (
    <div className="rp-row rp-ask">
      <NativeSelect
        label={t`Employé de l'école chez RdvPermis`}
        value={person?.id ?? ""}
        onChange={(event) => setWanted(event.currentTarget.value)}
        data={others.map((one) => ({ value: one.id, label: one.displayName }))}
      />
      <Button variant="default" onClick={() => person && onPick(person)}>
        {t`Ajouter comme formateur…`}
      </Button>
    </div>
  );
}
