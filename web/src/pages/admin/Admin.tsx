/** The platform administrator's people: invited, suspended, let go; each act asks who is there. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { keys } from "../../api/contract/cache.ts";
import type { Person } from "../../api/contract/types.ts";
import { NoPasskey } from "../../api/people/passkey.ts";
import { endPerson, invitePersonAgain, peopleQuery, resumePerson, suspendPerson } from "../../api/people/people.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { StatusMark, type Tone } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { toast } from "../../live/toast.ts";
import { departmentName } from "../../rules/departments.ts";
import { roleName } from "../../rules/people.ts";
import { serverClock } from "../../time/clock.ts";
import { instantShort } from "../../time/format.ts";
import { InviteDialog } from "./InviteDialog.tsx";

type Step = "again" | "suspend" | "resume" | "end";

export function Admin() {
  const query = useInfiniteQuery(peopleQuery);
  const [inviting, setInviting] = useState(false);
  const [asked, setAsked] = useState<{ person: Person; step: Step }>();
  return (
    <div className="rp-stack">
      <PageTitle
        aside={<Button onClick={() => setInviting(true)}>{t`Inviter une personne…`}</Button>}
      >{t`Personnes`}</PageTitle>
      <p className="rp-muted">
        {t`Les personnes qui ne sont pas employées d'une auto-école. Les employés viennent de RdvPermis et n'ont pas besoin d'invitation.`}
      </p>
      <Loaded query={query} rows={4}>
        {({ pages }) => {
          const people = pages.flatMap((page) => page.items);
          return people.length === 0 ? (
            <Empty
              title={t`Aucune personne pour l'instant`}
            >{t`Les personnes invitées apparaîtront ici, avec leur rôle et leur état.`}</Empty>
          ) : (
            <div className="rp-table-box">
              <table className="rp-table rp-table--days">
                <thead>
                  <tr>
                    <th scope="col">{t`Nom`}</th>
                    <th scope="col">{t`Rôle`}</th>
                    <th scope="col">{t`État`}</th>
                    <th scope="col">{t`Dernière connexion`}</th>
                    <th scope="col">
                      <span className="rp-visually-hidden">{t`Actions`}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {people.map((person) => (
                    <Row key={person.id} person={person} onAsk={(step) => setAsked({ person, step })} />
                  ))}
                </tbody>
              </table>
            </div>
          );
        }}
      </Loaded>
      {query.hasNextPage ? (
        <div>
          <Button
            variant="default"
            aria-disabled={query.isFetchingNextPage || undefined}
            onClick={() => void query.fetchNextPage()}
          >
            {t`Afficher la suite`}
          </Button>
        </div>
      ) : null}
      {inviting ? <InviteDialog onClose={() => setInviting(false)} /> : null}
      <StepDialog asked={asked} onClose={() => setAsked(undefined)} />
    </div>
  );
}

function Row({ person, onAsk }: { person: Person; onAsk: (step: Step) => void }) {
  const { displayName: name } = person;
  return (
    <tr>
      <th scope="row">
        {name}
        {person.own ? <span className="rp-small rp-muted"> {t`(vous)`}</span> : null}
      </th>
      <td data-label={t`Rôle`}>
        {roleName(person.role)}
        {person.scope.length > 0 ? (
          <span className="rp-small rp-muted"> {person.scope.map(departmentName).join(", ")}</span>
        ) : null}
      </td>
      <td data-label={t`État`}>
        <StateMark person={person} />
      </td>
      <td data-label={t`Dernière connexion`}>{person.signedInAt ? instantShort(person.signedInAt) : t`jamais`}</td>
      <td>
        {person.own ? null : (
          <div className="rp-row">
            {person.state === "invited" ? (
              <Button
                variant="subtle"
                aria-label={t`Renvoyer l'invitation de ${name}`}
                onClick={() => onAsk("again")}
              >{t`Renvoyer`}</Button>
            ) : null}
            {person.state === "active" ? (
              <Button
                variant="subtle"
                aria-label={t`Suspendre ${name}`}
                onClick={() => onAsk("suspend")}
              >{t`Suspendre…`}</Button>
            ) : null}
            {person.state === "suspended" ? (
              <Button
                variant="subtle"
                aria-label={t`Rétablir ${name}`}
                onClick={() => onAsk("resume")}
              >{t`Rétablir…`}</Button>
            ) : null}
            {person.state === "left" ? null : (
              <Button
                variant="subtle"
                aria-label={t`Terminer l'accès de ${name}`}
                onClick={() => onAsk("end")}
              >{t`Terminer…`}</Button>
            )}
          </div>
        )}
      </td>
    </tr>
  );
}

function StateMark({ person }: { person: Person }) {
  const { state, invitationEndsAt } = person;
  const states: Record<string, () => { tone: Tone; text: string }> = {
    active: () => ({ tone: "booked", text: t`actif` }),
    suspended: () => ({ tone: "refused", text: t`suspendu` }),
    left: () => ({ tone: "closed", text: t`accès terminé` }),
    invited: () =>
      invitationEndsAt && Date.parse(invitationEndsAt) > serverClock.now()
        ? { tone: "waiting", text: t`invité, jusqu'au ${instantShort(invitationEndsAt)}` }
        : { tone: "refused", text: t`invitation expirée` },
  };
  const { tone, text } = states[state]?.() ?? { tone: "waiting" as const, text: state };
  return <StatusMark tone={tone}>{text}</StatusMark>;
}

const STEPS = { again: invitePersonAgain, suspend: suspendPerson, resume: resumePerson, end: endPerson };

function StepDialog({ asked, onClose }: { asked: { person: Person; step: Step } | undefined; onClose: () => void }) {
  const client = useQueryClient();
  const shown = useRef(asked);
  if (asked) shown.current = asked; // the dialog keeps its words while it closes
  const name = shown.current?.person.displayName ?? "";
  const words = stepWords(shown.current?.step ?? "again", name);
  const run = useAct(({ person, step }: { person: Person; step: Step }) => STEPS[step](person.id) as Promise<unknown>, {
    onSuccess: () => {
      toast(words.done);
      onClose();
    },
    // Also where it was done already: the list is what stands.
    onSettled: () => client.invalidateQueries({ queryKey: keys.people }),
  });
  const close = () => {
    run.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={asked !== undefined}
      title={words.title}
      confirm={words.confirm}
      tone={asked?.step === "again" || asked?.step === "resume" ? "brand" : "danger"}
      busy={run.isPending}
      error={run.error instanceof NoPasskey ? undefined : run.error}
      onConfirm={() => asked && run.mutate(asked)}
      onClose={close}
    >
      <p>{words.text}</p>
      {run.error instanceof NoPasskey ? (
        <p role="alert">{t`Cette action demande votre clé d'accès, qui n'a pas répondu. Rien n'a été fait.`}</p>
      ) : null}
    </ConfirmDialog>
  );
}

function stepWords(step: Step, name: string): { title: string; text: string; confirm: string; done: string } {
  switch (step) {
    case "again":
      return {
        title: t`Renvoyer l'invitation ?`,
        text: t`${name} reçoit un nouveau lien, valable 72 heures ; l'ancien ne l'est plus.`,
        confirm: t`Renvoyer`,
        done: t`Invitation renvoyée à ${name}.`,
      };
    case "suspend":
      return {
        title: t`Suspendre cette personne ?`,
        text: t`Les sessions de ${name} se terminent à l'instant, et aucune ne s'ouvre plus. Vous pourrez rétablir l'accès.`,
        confirm: t`Suspendre`,
        done: t`${name} est suspendu.`,
      };
    case "resume":
      return {
        title: t`Rétablir l'accès ?`,
        text: t`${name} pourra se connecter de nouveau avec sa clé d'accès.`,
        confirm: t`Rétablir`,
        done: t`L'accès de ${name} est rétabli.`,
      };
    case "end":
      return {
        title: t`Terminer l'accès de cette personne ?`,
        text: t`Les sessions de ${name} se terminent à l'instant et ses clés d'accès sont effacées. Pour revenir, il faudra une nouvelle invitation.`,
        confirm: t`Terminer`,
        done: t`L'accès de ${name} est terminé.`,
      };
  }
}
