/** When the school, a trainer or a vehicle is not free; a candidate's stands on their own page. */
import { t } from "@lingui/core/macro";
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Subject } from "../../api/contract/types.ts";
import { trainersQuery, vehiclesQuery } from "../../api/school.ts";
import { useSession } from "../../api/session.ts";
import { Availability } from "../../components/availability/Availability.tsx";
import { Feed } from "./Feed.tsx";

interface Choice {
  value: string;
  label: string;
  subject: Subject;
}

export function AvailabilityTab() {
  const session = useSession();
  const trainers = useQuery(trainersQuery);
  const vehicles = useQuery(vehiclesQuery);
  const [wanted, setWanted] = useState("school");
  const choices: Choice[] = [
    { value: "school", label: session.school.name, subject: { kind: "school" } },
    ...(trainers.data?.items ?? []).map(
      ({ id, displayName }): Choice => ({
        value: `trainer/${id}`,
        label: displayName,
        subject: { kind: "trainer", id },
      }),
    ),
    ...(vehicles.data?.items ?? [])
      .filter((vehicle) => !vehicle.retired)
      .map(({ id, label }): Choice => ({ value: `vehicle/${id}`, label, subject: { kind: "vehicle", id } })),
  ];
  const chosen = choices.find((one) => one.value === wanted) ?? choices[0];
  if (!chosen) return null;
  return (
    <div className="rp-stack rp-tab">
      <p className="rp-muted">
        {t`Une indisponibilité est vérifiée quand un créneau est retenu, puis quand il est validé. Elle n'annule rien.`}
      </p>
      <NativeSelect
        className="rp-narrow"
        label={t`Qui ou quoi`}
        value={chosen.value}
        onChange={(event) => setWanted(event.currentTarget.value)}
        data={choices.map(({ value, label }) => ({ value, label }))}
      />
      <section className="rp-card" aria-label={t`Indisponibilités de ${chosen.label}`}>
        <h2>{t`Indisponibilités de ${chosen.label}`}</h2>
        <Availability key={chosen.value} subject={chosen.subject} name={chosen.label} />
      </section>
      {chosen.subject.kind === "trainer" && chosen.subject.id ? (
        <div className="rp-card">
          <Feed key={chosen.value} trainerId={chosen.subject.id} name={chosen.label} />
        </div>
      ) : null}
    </div>
  );
}
