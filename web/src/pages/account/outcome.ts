/** What became of giving a grant at RdvPermis, as the address of the way back says it, and how one ended. */
import { t } from "@lingui/core/macro";
import type { GrantEnd, OwnGrant } from "../../api/contract/types.ts";
import type { Level } from "../../components/Notice.tsx";
import { dayFull } from "../../time/format.ts";

const OUTCOMES = [
  "given",
  "refused",
  "other_person",
  "other_school",
  "not_offered",
  "signed_out",
  "no_right",
  "unavailable",
  "failed",
] as const;
export type GrantOutcome = (typeof OUTCOMES)[number];

/** Of the address: undefined without one, and of a word that is not known. */
export function readOutcome(word: unknown): GrantOutcome | undefined {
  if (typeof word !== "string" || word === "") return undefined;
  return OUTCOMES.find((one) => one === word);
}

/** `stands`: what was read since, which the address is never believed against. */
export function outcomeText(
  outcome: GrantOutcome,
  stands: OwnGrant["grant"],
): { level: Level; text: string } | undefined {
  if (outcome === "given") {
    const text = t`Autorisation donnée. Le travail continue jour et nuit.`;
    return stands && !stands.refusedAt ? { level: "success", text } : undefined;
  }
  const level = outcome === "refused" ? "info" : "warning";
  const [why, next] = refusalTexts(outcome);
  const text = stands
    ? [why, t`L'autorisation que vous aviez donnée ne change pas.`]
    : [why, t`Aucune autorisation n'a été donnée.`, next];
  return { level, text: text.filter(Boolean).join(" ") };
}

/** Why none came of it, and what to do, or "". */
function refusalTexts(outcome: Exclude<GrantOutcome, "given">): [string, string] {
  switch (outcome) {
    case "refused":
      return [t`Vous avez refusé chez RdvPermis.`, ""];
    case "other_person":
      return [t`Une autre personne est connectée chez RdvPermis.`, t`Déconnectez-la là-bas, puis recommencez.`];
    case "other_school":
      return [t`RdvPermis vous rattache à une autre école.`, t`Reconnectez-vous, puis recommencez.`];
    case "not_offered":
      return [t`RdvPermis n'accorde pas encore d'accès durable à ResaPermis.`, t`Prévenez votre responsable.`];
    case "signed_out":
      return [t`Votre session s'est terminée entre-temps.`, t`Recommencez.`];
    case "no_right":
      return [t`Votre rôle ne permet plus de la donner.`, ""];
    case "unavailable":
      return [t`Un service ne répond pas.`, t`Recommencez plus tard.`];
    case "failed":
      return [t`RdvPermis n'a pas confirmé.`, t`Recommencez.`];
  }
}

export function endText({ endedAt, reason }: GrantEnd): string {
  const day = dayFull(endedAt);
  switch (reason) {
    case "withdrawn":
      return t`Vous avez retiré votre autorisation le ${day}.`;
    case "run_out":
      return t`Votre autorisation a pris fin le ${day}, comme prévu.`;
    case "refused":
      return t`RdvPermis n'accepte plus votre autorisation depuis le ${day} : donnez-la à nouveau.`;
    case "lost":
      return t`Votre autorisation est devenue inutilisable le ${day} : ce que ResaPermis en conservait n'est plus valable. Donnez-la à nouveau.`;
    case "other_school":
      return t`Votre autorisation a pris fin le ${day} : vous travaillez pour une autre école.`;
    case "no_right":
      return t`Votre autorisation a pris fin le ${day} : votre rôle ne la permet plus.`;
    case "other_provider":
      return t`Votre autorisation a pris fin le ${day} : ResaPermis se connecte désormais à RdvPermis par un autre service. Donnez-la à nouveau.`;
  }
}
