/** One's grant for background work: what it is for, what stands, giving it at RdvPermis, withdrawing it. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { backgroundWorkQuery, ownGrantQuery, startGrant, withdrawGrant } from "../../api/account.ts";
import { keys } from "../../api/contract/cache.ts";
import type { OwnGrant } from "../../api/contract/types.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Loaded } from "../../components/Loading.tsx";
import { type Level, Notice, ProblemNotice } from "../../components/Notice.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { dayFull, instantShort } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";
import { endText, type GrantOutcome, outcomeText } from "./outcome.ts";

/** So long before its end a grant can be given anew. */
const SOON = 30 * 86_400_000;

export function BackgroundWork({ outcome }: { outcome: GrantOutcome | undefined }) {
  const query = useQuery(ownGrantQuery);
  const [withdrawing, setWithdrawing] = useState(false);
  const [withdrawn, setWithdrawn] = useState(false);
  const said = withdrawn ? { level: "info" as const, text: t`Autorisation retirée.` } : undefined;
  const arrived = outcome && query.data ? outcomeText(outcome, query.data.grant) : undefined;
  return (
    <section className="rp-stack rp-stack--tight rp-background" aria-labelledby="arriere-plan">
      <h2 id="arriere-plan">{t`Travail en arrière-plan`}</h2>
      <Said message={said ?? arrived} afterDialog={withdrawn} />
      <p>{t`Sans autorisation, ResaPermis ne consulte RdvPermis que si une personne de votre école est connectée. Avec la vôtre, il peut, jour et nuit :`}</p>
      <ul>
        <li>{t`comparer vos réservations avec celles de RdvPermis, à intervalles réguliers ;`}</li>
        <li>{t`relever les résultats d'examen, les pénalités et l'état des mandats ;`}</li>
        <li>{t`suivre les créneaux de vos recherches gardées, de vos centres favoris et de votre département ;`}</li>
        <li>{t`rendre à RdvPermis ce que votre école ne retient plus : créneaux expirés ou déjà rendus ici, paniers préparés et restés vides.`}</li>
      </ul>
      <p>{t`Il ne retient, ne réserve, ne remplace et n'annule rien : ces décisions restent les vôtres. Ses appels à RdvPermis sont inscrits au nom du système, et non au vôtre, dans le journal que lisent les responsables de la sécurité.`}</p>
      <Loaded query={query} rows={1} height={88}>
        {(own) => <Standing own={own} onWithdraw={() => setWithdrawing(true)} />}
      </Loaded>
      <WithdrawDialog
        opened={withdrawing}
        own={query.data?.grant && !query.data.grant.refusedAt ? 1 : 0}
        onDone={() => setWithdrawn(true)}
        onClose={() => setWithdrawing(false)}
      />
    </section>
  );
}

/** What just happened: read out and focused, so that whoever comes back from RdvPermis, or from the dialog, reads it first. */
function Said({ message, afterDialog }: { message: { level: Level; text: string } | undefined; afterDialog: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const text = message?.text;
  useEffect(() => {
    if (!text) return;
    const focus = () => box.current?.focus();
    if (afterDialog) {
      const timer = setTimeout(focus, 100); // the dialog gives its own focus back first
      return () => clearTimeout(timer);
    }
    const focused = document.activeElement;
    // Whoever went on already is left where they are.
    if (focused === document.body || focused?.tagName === "H1") focus();
    return;
  }, [text, afterDialog]);
  return (
    <div role="status">
      {message ? (
        <Notice level={message.level} focusRef={box}>
          <p>{message.text}</p>
        </Notice>
      ) : null}
    </div>
  );
}

function Standing({ own, onWithdraw }: { own: OwnGrant; onWithdraw: () => void }) {
  const now = useNow();
  const { grant, ended, mayGive } = own;
  const soon = grant !== null && Date.parse(grant.endsAt) - now <= SOON;
  const since = grant?.refusedAt ? instantShort(grant.refusedAt) : "";
  const refused = since !== "";
  return (
    <div className="rp-card">
      {grant ? (
        <>
          <div>
            {refused ? (
              <StatusMark tone="waiting">{t`Refusée par RdvPermis`}</StatusMark>
            ) : soon ? (
              <StatusMark tone="waiting">{t`Prend fin bientôt`}</StatusMark>
            ) : (
              <StatusMark tone="booked">{t`Autorisation en vigueur`}</StatusMark>
            )}
          </div>
          <dl className="rp-facts">
            <dt>{t`Donnée le`}</dt>
            <dd>{dayFull(grant.givenAt)}</dd>
            <dt>{t`Prend fin le`}</dt>
            <dd>{dayFull(grant.endsAt)}</dd>
            <dt>{t`Dernier usage`}</dt>
            <dd>{grant.lastUsedAt ? instantShort(grant.lastUsedAt) : t`pas encore utilisée`}</dd>
          </dl>
          {refused ? (
            <p>{t`RdvPermis ne l'accepte pas depuis le ${since}. Si cela dure, elle prend fin d'elle-même ; vous pouvez la renouveler.`}</p>
          ) : null}
        </>
      ) : (
        <p>{ended ? endText(ended) : t`Vous n'avez pas donné d'autorisation.`}</p>
      )}
      {grant && !refused ? null : <Others />}
      {mayGive || grant ? null : (
        <p className="rp-muted">{t`Votre rôle ne permet pas de la donner : demandez à un responsable de votre école.`}</p>
      )}
      <div className="rp-row">
        {mayGive && (!grant || soon || refused) ? <Give again={grant !== null} /> : null}
        {grant ? (
          <Button variant="default" onClick={onWithdraw}>
            {t`Retirer l'autorisation…`}
          </Button>
        ) : null}
      </div>
    </div>
  );
}

/** Whether the school's work waits all the same. */
function Others() {
  const { data } = useQuery(backgroundWorkQuery);
  if (!data) return null;
  return data.granted ? (
    <p className="rp-muted">{t`L'autorisation d'une autre personne de votre école est en vigueur : rien n'est suspendu.`}</p>
  ) : (
    <p className="rp-muted">{t`Aucune autorisation n'est en vigueur dans votre école : tout cela reste en attente tant que personne n'est connecté.`}</p>
  );
}

function Give({ again }: { again: boolean }) {
  const start = useAct(() => startGrant(), {
    onSuccess: ({ authorizationUrl }) => window.location.assign(authorizationUrl),
  });
  const { reset } = start;
  // Back by the browser's own way, the page may be as it was left.
  useEffect(() => {
    window.addEventListener("pageshow", reset);
    return () => window.removeEventListener("pageshow", reset);
  }, [reset]);
  return (
    <div className="rp-stack rp-stack--tight">
      <div className="rp-row">
        <ActionButton busy={start.isPending || start.isSuccess} onAct={() => start.mutate()}>
          {again ? t`Renouveler l'autorisation` : t`Donner l'autorisation`}
        </ActionButton>
      </div>
      <p className="rp-small rp-muted">
        {t`RdvPermis vous demande de confirmer, et peut d'abord vous demander de vous identifier à nouveau. La date de fin s'affiche ensuite ici ; vous retirez l'autorisation quand vous voulez.`}
      </p>
      {start.error ? <ProblemNotice error={start.error} /> : null}
    </div>
  );
}

/** `own`: how many of the school's grants that RdvPermis takes are this person's, 0 or 1. */
function WithdrawDialog({
  opened,
  own,
  onDone,
  onClose,
}: {
  opened: boolean;
  own: number;
  onDone: () => void;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const { data } = useQuery({ ...backgroundWorkQuery, enabled: opened });
  const withdraw = useAct(() => withdrawGrant(), {
    onSuccess: () => {
      onDone();
      onClose();
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.grants }),
  });
  const close = () => {
    withdraw.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Retirer votre autorisation ?`}
      confirm={t`Retirer`}
      busy={withdraw.isPending}
      error={withdraw.error}
      onConfirm={() => withdraw.mutate()}
      onClose={close}
    >
      <p>
        {data && data.employees > own
          ? t`ResaPermis cesse aussitôt de l'utiliser. Le travail continue grâce à l'autorisation d'une autre personne de votre école.`
          : t`ResaPermis cesse aussitôt de l'utiliser. Tant que personne n'est connecté, la comparaison avec RdvPermis, les résultats, les mandats et les recherches gardées restent en attente.`}
      </p>
    </ConfirmDialog>
  );
}
