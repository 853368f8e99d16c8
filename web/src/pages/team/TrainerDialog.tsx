import { t } from "@lingui/core/macro";
import { Button, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { keys } from "../../api/contract/cache.ts";
import type { Trainer } from "../../api/contract/types.ts";
import { setTrainer } from "../../api/school.ts";
import { useSession } from "../../api/session.ts";
import { ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { DEPARTMENTS } from "../../rules/departments.ts";
import { Categories } from "./Categories.tsx";
import { useToday } from "./ExpiryMark.tsx";

/** Adds a trainer, or changes one from a day on: what was before that day stays as it was. */
export function TrainerDialog({
  person,
  onClose,
}: {
  person: Pick<Trainer, "id" | "displayName"> & Partial<Trainer>;
  onClose: () => void;
}) {
  const session = useSession();
  const today = useToday();
  const client = useQueryClient();
  const known = person.categories !== undefined;
  const [fields, setFields, forget] = useDraft(`trainer/${person.id}`, {
    department: person.department ?? session.school.department,
    categories: person.categories ?? ["B"],
    activeFrom: known ? today : (person.activeFrom ?? today),
    activeUntil: person.activeUntil ?? "",
    authorisedUntil: person.authorisedUntil ?? "",
  });
  const [asked, setAsked] = useState(false);
  const close = () => {
    forget();
    onClose();
  };
  const save = useAct(
    (written: typeof fields) =>
      setTrainer(person.id, {
        ...written,
        activeUntil: written.activeUntil || null,
        authorisedUntil: written.authorisedUntil || null,
      }),
    {
      onSuccess: () => {
        toast(t`${person.displayName} est à jour. Les seuils suivent.`);
        close();
      },
      onSettled: () =>
        Promise.all([keys.school, keys.thresholds].map((queryKey) => client.invalidateQueries({ queryKey }))),
    },
  );
  const reversed = fields.activeUntil !== "" && fields.activeUntil < fields.activeFrom;
  const set = (next: Partial<typeof fields>) => setFields({ ...fields, ...next });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (save.isPending || fields.categories.length === 0 || !fields.activeFrom || reversed) return;
    save.mutate(fields);
  };
  return (
    <Modal opened onClose={close} title={person.displayName} closeButtonProps={{ "aria-label": t`Fermer` }}>
      <form className="rp-stack" onSubmit={submit} noValidate>
        <NativeSelect
          label={t`Département`}
          value={fields.department}
          onChange={(event) => set({ department: event.currentTarget.value })}
          data={[...DEPARTMENTS].map(([code, name]) => ({ value: code, label: `${code} ${name}` }))}
        />
        <Categories value={fields.categories} onChange={(categories) => set({ categories })} />
        {asked && fields.categories.length === 0 ? (
          <p className="rp-hint-warning">{t`Choisissez au moins un permis.`}</p>
        ) : null}
        <div className="rp-form">
          <TextInput
            type="date"
            label={known ? t`Changement à partir du` : t`Actif à partir du`}
            description={known ? t`Rien ne change avant ce jour` : undefined}
            required
            value={fields.activeFrom}
            onChange={(event) => set({ activeFrom: event.currentTarget.value })}
            error={asked && !fields.activeFrom ? t`Indiquez le premier jour.` : undefined}
          />
          <TextInput
            type="date"
            label={t`Dernier jour (facultatif)`}
            min={fields.activeFrom}
            value={fields.activeUntil}
            onChange={(event) => set({ activeUntil: event.currentTarget.value })}
            error={asked && reversed ? t`Le dernier jour vient après le premier.` : undefined}
          />
          <TextInput
            type="date"
            label={t`Autorisation d'enseigner jusqu'au`}
            description={t`Un message vous prévient deux mois avant`}
            value={fields.authorisedUntil}
            onChange={(event) => set({ authorisedUntil: event.currentTarget.value })}
          />
        </div>
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
