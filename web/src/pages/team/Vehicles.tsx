/** Vehicles used at exams: licence, gearbox; a retired one stays in the past. */
import { t } from "@lingui/core/macro";
import { Button, Checkbox, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { keys } from "../../api/contract/cache.ts";
import type { Gearbox, Vehicle } from "../../api/contract/types.ts";
import { addVehicle, setVehicle, type VehicleBody, vehiclesQuery } from "../../api/school.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { ProblemNotice } from "../../components/Notice.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { gearboxWord } from "../../rules/school/gearbox.ts";
import { Categories } from "./Categories.tsx";

export function Vehicles({ mayEdit }: { mayEdit: boolean }) {
  const query = useQuery(vehiclesQuery);
  const [edited, setEdited] = useState<Vehicle | "new">();
  return (
    <div className="rp-stack rp-tab">
      {mayEdit ? (
        <div>
          <Button onClick={() => setEdited("new")}>{t`Ajouter un véhicule…`}</Button>
        </div>
      ) : null}
      <Loaded query={query} rows={3}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t`Aucun véhicule`}>
              {t`Un véhicule choisi pour une ligne ne peut pas servir à deux examens en même temps.`}
            </Empty>
          ) : (
            <div className="rp-table-box">
              <table className="rp-table rp-table--days">
                <thead>
                  <tr>
                    <th scope="col">{t`Véhicule`}</th>
                    <th scope="col">{t`Permis`}</th>
                    <th scope="col">{t`Boîte de vitesses`}</th>
                    <th scope="col">{t`État`}</th>
                    {mayEdit ? (
                      <th scope="col">
                        <span className="rp-visually-hidden">{t`Actions`}</span>
                      </th>
                    ) : null}
                  </tr>
                </thead>
                <tbody>
                  {items.map((vehicle) => (
                    <tr key={vehicle.id}>
                      <th scope="row">{vehicle.label}</th>
                      <td data-label={t`Permis`}>{vehicle.categories.join(", ")}</td>
                      <td data-label={t`Boîte de vitesses`}>{gearboxWord(vehicle.gearbox)}</td>
                      <td data-label={t`État`}>
                        {vehicle.retired ? (
                          <StatusMark tone="closed">{t`retiré du service`}</StatusMark>
                        ) : (
                          t`en service`
                        )}
                      </td>
                      {mayEdit ? (
                        <td>
                          <Button
                            variant="subtle"
                            aria-label={t`Modifier ${vehicle.label}`}
                            onClick={() => setEdited(vehicle)}
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
          )
        }
      </Loaded>
      {edited ? <VehicleDialog vehicle={edited} onClose={() => setEdited(undefined)} /> : null}
    </div>
  );
}

function VehicleDialog({ vehicle, onClose }: { vehicle: Vehicle | "new"; onClose: () => void }) {
  const client = useQueryClient();
  const [fields, setFields, forget] = useDraft<VehicleBody>(
    `vehicle/${vehicle === "new" ? "" : vehicle.id}`,
    vehicle === "new"
      ? { label: "", categories: ["B"], gearbox: "manual", retired: false }
      : { label: vehicle.label, categories: vehicle.categories, gearbox: vehicle.gearbox, retired: vehicle.retired },
  );
  const [asked, setAsked] = useState(false);
  const close = () => {
    forget();
    onClose();
  };
  const save = useAct(
    (body: VehicleBody, key: string) => (vehicle === "new" ? addVehicle(body, key) : setVehicle(vehicle.id, body)),
    {
      onSuccess: ({ label }) => {
        toast(t`${label} est à jour.`);
        close();
      },
      onSettled: () => client.invalidateQueries({ queryKey: keys.vehicles }),
    },
  );
  const set = (next: Partial<VehicleBody>) => setFields({ ...fields, ...next });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (!save.isPending && fields.label.trim() !== "" && fields.categories.length > 0) save.mutate(fields);
  };
  return (
    <Modal
      opened
      onClose={close}
      title={vehicle === "new" ? t`Nouveau véhicule` : vehicle.label}
      closeButtonProps={{ "aria-label": t`Fermer` }}
    >
      <form className="rp-stack" onSubmit={submit} noValidate>
        <TextInput
          label={t`Nom`}
          description={t`Le nom que vous lui donnez, par exemple « Clio 2 »`}
          required
          maxLength={80}
          autoComplete="off"
          value={fields.label}
          onChange={(event) => set({ label: event.currentTarget.value })}
          error={asked && fields.label.trim() === "" ? t`Indiquez un nom.` : undefined}
          data-autofocus
        />
        <Categories value={fields.categories} onChange={(categories) => set({ categories })} />
        {asked && fields.categories.length === 0 ? (
          <p className="rp-hint-warning">{t`Choisissez au moins un permis.`}</p>
        ) : null}
        <NativeSelect
          label={t`Boîte de vitesses`}
          value={fields.gearbox}
          onChange={(event) => set({ gearbox: event.currentTarget.value as Gearbox })}
          data={[
            { value: "manual", label: t`manuelle` },
            { value: "automatic", label: t`automatique` },
          ]}
        />
        <Checkbox
          checked={fields.retired}
          onChange={(event) => set({ retired: event.currentTarget.checked })}
          label={t`Retiré du service`}
          description={t`Il n'est plus proposé. Les réservations passées le mentionnent toujours.`}
        />
        {save.error ? <ProblemNotice error={save.error} /> : null}
        <div className="rp-row rp-row--end">
          <Button variant="default" onClick={close}>
            {t`Abandonner`}
          </Button>
          <Button type="submit" aria-disabled={save.isPending || undefined} data-disabled={save.isPending || undefined}>
            {save.isPending ? t`Demande envoyée…` : t`Enregistrer`}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
