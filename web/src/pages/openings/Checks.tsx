/** What is settled before the hour: session, RdvPermis, basket, calls. Preparing holds nothing. */

import { plural, t } from "@lingui/core/macro";
import { IconCheck, IconHourglass, IconX } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { prepareOpening } from "../../api/basket.ts";
import type { Preparation } from "../../api/contract/types.ts";
import { useSession } from "../../api/session.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { refusalText } from "../../rules/answers/refusals.ts";
import type { Opening } from "../../rules/opening/opening.ts";
import type { Wish } from "../../rules/opening/proposal.ts";
import { clockTime, duration } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";
import { preparationKey } from "./opening-query.ts";

type State = "ok" | "bad" | "open";

/** Before this there is no use in preparing: RdvPermis' basket and our session last about a quarter of an hour. */
export const NEAR = 12 * 60_000;
/** How long a basket opened in advance is worth after the hour: the time to read and press. */
const MARGIN = 60_000;

/** The four answers, from what was prepared. Pure; `now` in ms. */
export function basketState(preparation: Preparation | null, at: number, now: number): State {
  if (!preparation || at - now > NEAR) return "open";
  const until = preparation.basketExpiresAt ? Date.parse(preparation.basketExpiresAt) : 0;
  return until > Math.max(at, now) + MARGIN ? "ok" : "bad";
}

export function Checks({
  opening,
  preparation,
  wishes,
  slotId,
}: {
  opening: Opening;
  preparation: Preparation | null;
  wishes: readonly Wish[];
  slotId: string | undefined;
}) {
  const session = useSession();
  const client = useQueryClient();
  const now = useNow();
  const at = Date.parse(opening.at);
  const prepare = useAct((body: Parameters<typeof prepareOpening>[0]) => prepareOpening(body), {
    onSuccess: (answer) => client.setQueryData(preparationKey(opening.id), answer),
  });
  const basket = basketState(preparation, at, now);
  const sessionEnds = Date.parse(session.expiresAt);
  const far = at - now > NEAR;
  const until = preparation?.basketExpiresAt ? clockTime(preparation.basketExpiresAt) : "";
  const left = preparation?.callsLeft ?? 0;
  const calls = plural(left, { one: "# appel restant", other: "# appels restants" });
  const ago = preparation?.preparedAt
    ? duration(Math.max(0, Math.floor((now - Date.parse(preparation.preparedAt)) / 1000)))
    : "";
  return (
    <section className="rp-card" aria-label={t`Préparation`}>
      <div className="rp-row rp-row--between">
        <h2>{t`Préparation`}</h2>
        <ActionButton
          variant={far || basket === "ok" ? "default" : "filled"}
          busy={prepare.isPending}
          onAct={() =>
            prepare.mutate({
              category: opening.category,
              department: opening.department,
              candidateIds: wishes.map((wish) => wish.candidateId),
              ...(slotId ? { slotId } : {}),
            })
          }
        >
          {preparation ? t`Préparer à nouveau` : t`Préparer`}
        </ActionButton>
      </div>
      <ul className="rp-checks">
        <Check state={far ? "open" : sessionEnds > at + MARGIN ? "ok" : "bad"}>
          {t`session jusqu'à ${clockTime(session.expiresAt)}`}
        </Check>
        <Check state={!preparation ? "open" : preparation.rdvpermisReachable ? "ok" : "bad"}>
          {!preparation
            ? t`RdvPermis à interroger`
            : preparation.rdvpermisReachable
              ? t`RdvPermis répond`
              : t`RdvPermis ne répond pas`}
          {preparation && !preparation.tokenFresh ? `, ${t`reconnexion à demander`}` : null}
        </Check>
        <Check state={basket}>
          {basket === "ok"
            ? t`panier ouvert jusqu'à ${until}`
            : basket === "open"
              ? preparation?.basketExpiresAt
                ? t`panier ouvert jusqu'à ${until}, à rouvrir avant l'heure`
                : t`panier à ouvrir`
              : preparation?.basketProblem
                ? refusalText(preparation.basketProblem)
                : preparation?.basketExpiresAt
                  ? t`panier ouvert trop tôt : il expire à ${until}. Préparez à nouveau plus près de l'heure.`
                  : t`panier pas encore ouvert : la demande l'ouvrira`}
        </Check>
        <Check state={!preparation ? "open" : left > 0 && !preparation.waitUntil ? "ok" : "bad"}>
          {preparation
            ? preparation.waitUntil
              ? `${calls}, ${t`attendre jusqu'à ${clockTime(preparation.waitUntil)}`}`
              : calls
            : t`appels restants à lire`}
        </Check>
      </ul>
      {far ? (
        <p>{t`Choisissez les candidats dès maintenant. Préparez dans les dix minutes avant l'heure : le panier de RdvPermis dure un quart d'heure.`}</p>
      ) : null}
      <p className="rp-small rp-muted">
        {ago ? t`Préparé il y a ${ago}.` : null}{" "}
        {t`La préparation ne retient aucun créneau : elle vérifie d'avance la session, le panier et l'avis de RdvPermis.`}
      </p>
      {prepare.error ? <ProblemNotice error={prepare.error} /> : null}
    </section>
  );
}

function Check({ state, children }: { state: State; children: ReactNode }) {
  const Icon = state === "ok" ? IconCheck : state === "bad" ? IconX : IconHourglass;
  const word = state === "ok" ? t`prêt` : state === "bad" ? t`à régler` : t`pas encore demandé`;
  return (
    <li className={`rp-check rp-check--${state}`}>
      <Icon size={18} stroke={2.25} aria-hidden />
      <span>
        <span className="rp-visually-hidden">{word} : </span>
        {children}
      </span>
    </li>
  );
}
