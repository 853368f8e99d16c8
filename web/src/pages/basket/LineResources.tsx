/** Trainer and vehicle of a line. Ours alone: RdvPermis is not asked, and each may be chosen later or never. */

import { t } from "@lingui/core/macro";
import { NativeSelect } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { setLineResources } from "../../api/basket.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Line } from "../../api/contract/types.ts";
import { trainersQuery, vehiclesQuery } from "../../api/school.ts";
import { ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useOnline } from "../../live/online.ts";
import { toast } from "../../live/toast.ts";
import { gearboxWord } from "../../rules/school/gearbox.ts";

interface Resources {
  trainerId: string | null;
  vehicleId: string | null;
}

export function LineResources({ line, when }: { line: Line; when: string }) {
  const client = useQueryClient();
  const online = useOnline();
  const trainers = useQuery(trainersQuery);
  const vehicles = useQuery(vehiclesQuery);
  const assign = useAct((chosen: Resources, key: string) => setLineResources(line.id, chosen, key), {
    subject: line.id, // the candidate of whom RdvPermis is being asked first: a line is not changed meanwhile
    onSuccess: () => toast(t`Formateur et véhicule enregistrés.`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.basket }),
  });
  const now: Resources = assign.isPending
    ? assign.variables
    : { trainerId: line.trainerId ?? null, vehicleId: line.vehicleId ?? null };
  const people = (trainers.data?.items ?? []).filter(
    (trainer) =>
      trainer.id === now.trainerId || (trainer.mayAccompany && trainer.categories.includes(line.slot.category)),
  );
  const cars = (vehicles.data?.items ?? []).filter(
    (vehicle) => vehicle.id === now.vehicleId || (!vehicle.retired && vehicle.categories.includes(line.slot.category)),
  );
  if (people.length === 0 && cars.length === 0) return null;
  const change = (next: Partial<Resources>) => {
    if (online) assign.mutate({ ...now, ...next });
  };
  return (
    <div className="rp-line__with">
      <NativeSelect
        label={t`Formateur`}
        aria-label={t`Formateur, ${when}`}
        value={now.trainerId ?? ""}
        onChange={(event) => change({ trainerId: event.currentTarget.value || null })}
        data={[
          { value: "", label: t`à préciser` },
          ...people.map((trainer) => ({ value: trainer.id, label: trainer.displayName })),
        ]}
      />
      <NativeSelect
        label={t`Véhicule`}
        aria-label={t`Véhicule, ${when}`}
        value={now.vehicleId ?? ""}
        onChange={(event) => change({ vehicleId: event.currentTarget.value || null })}
        data={[
          { value: "", label: t`à préciser` },
          ...cars.map((vehicle) => ({
            value: vehicle.id,
            label: `${vehicle.label} (${gearboxWord(vehicle.gearbox)})`,
          })),
        ]}
      />
      {assign.error ? <ProblemNotice error={assign.error} /> : null}
    </div>
  );
}
