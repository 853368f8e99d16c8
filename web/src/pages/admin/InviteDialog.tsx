/** Who is invited, as what, and for which departments. What is typed is kept over a lost connection. */
import { i18n } from "@lingui/core";
import { t } from "@lingui/core/macro";
import { Button, Modal, MultiSelect, NativeSelect, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { keys } from "../../api/contract/cache.ts";
import type { PersonInvitation, PersonRole } from "../../api/contract/types.ts";
import { NoPasskey } from "../../api/people/passkey.ts";
import { invitePerson } from "../../api/people/people.ts";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { DEPARTMENTS } from "../../rules/departments.ts";
import { INVITED_ROLES, roleName } from "../../rules/people.ts";

const BLANK = { displayName: "", email: "", role: "supervisor", scope: [] as string[], locale: "fr" };

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [fields, setFields, forget] = useDraft("person", { ...BLANK, locale: i18n.locale === "en" ? "en" : "fr" });
  const [asked, setAsked] = useState(false);
  const close = () => {
    forget();
    onClose();
  };
  const invite = useAct((body: PersonInvitation, key: string) => invitePerson(body, key), {
    onSuccess: ({ displayName }) => {
      toast(t`Invitation envoyée par courriel à ${displayName}.`);
      close();
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.people }),
  });
  const supervises = fields.role === "supervisor";
  const set = (next: Partial<typeof BLANK>) => setFields({ ...fields, ...next });
  const whole =
    fields.displayName.trim() !== "" && fields.email.trim() !== "" && (!supervises || fields.scope.length > 0);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (invite.isPending || !whole) return;
    invite.mutate({
      displayName: fields.displayName.trim(),
      email: fields.email.trim(),
      locale: fields.locale === "en" ? "en" : "fr",
      role: fields.role as PersonRole,
      scope: supervises ? fields.scope : [],
    });
  };
  return (
    <Modal opened onClose={close} title={t`Inviter une personne`} closeButtonProps={{ "aria-label": t`Fermer` }}>
      <form className="rp-stack" onSubmit={submit} noValidate>
        <TextInput
          label={t`Nom`}
          required
          maxLength={100}
          autoComplete="off"
          value={fields.displayName}
          onChange={(event) => set({ displayName: event.currentTarget.value })}
          error={asked && fields.displayName.trim() === "" ? t`Indiquez un nom.` : undefined}
          data-autofocus
        />
        <TextInput
          label={t`Adresse électronique`}
          type="email"
          required
          maxLength={254}
          autoComplete="off"
          value={fields.email}
          onChange={(event) => set({ email: event.currentTarget.value })}
          error={asked && fields.email.trim() === "" ? t`Indiquez une adresse.` : undefined}
        />
        <NativeSelect
          label={t`Rôle`}
          value={fields.role}
          onChange={(event) => set({ role: event.currentTarget.value })}
          data={INVITED_ROLES.map((role) => ({ value: role, label: roleName(role) }))}
        />
        {supervises ? (
          <MultiSelect
            label={t`Départements`}
            required
            searchable
            value={fields.scope}
            onChange={(scope) => set({ scope })}
            data={[...DEPARTMENTS].map(([value, name]) => ({ value, label: `${name} (${value})` }))}
            error={asked && fields.scope.length === 0 ? t`Choisissez au moins un département.` : undefined}
          />
        ) : null}
        <NativeSelect
          label={t`Langue du courriel`}
          description={t`Le courriel est écrit dans cette langue`}
          value={fields.locale}
          onChange={(event) => set({ locale: event.currentTarget.value })}
          data={[
            { value: "fr", label: "Français" },
            { value: "en", label: "English" },
          ]}
        />
        {invite.error instanceof NoPasskey ? (
          <Notice level="warning" alert>
            <p>{t`Cette action demande votre clé d'accès, qui n'a pas répondu. Rien n'a été fait.`}</p>
          </Notice>
        ) : invite.error ? (
          <ProblemNotice error={invite.error} />
        ) : null}
        <div className="rp-row rp-row--end">
          <Button variant="default" onClick={close}>{t`Abandonner`}</Button>
          <Button
            type="submit"
            aria-disabled={invite.isPending || undefined}
            data-disabled={invite.isPending || undefined}
          >
            {invite.isPending ? t`Demande envoyée…` : t`Inviter`}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
