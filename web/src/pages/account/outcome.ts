/** What became of giving a grant at RdvPermis, as the address of the way back says it, and how one ended. */
import { t } from "@lingui/core/macro";
import type { GrantEnd } from "../../api/contract/types.ts";
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

/** Of the address: undefined without one; a word that is not known is a failure all the same. */
export function readOutcome(word: unknown): GrantOutcome | undefined {
  if (typeof word !== "string" || word === "") return undefined;
  return OUTCOMES.find((one) => one === word) ?? "failed";
}

/** `stands`: what was read since; an address that says "given" is believed no further. */
export function outcomeText(outcome: GrantOutcome, stands: boolean): { level: Level; text: string } | undefined {
  switch (outcome) {
    case "given":
      return stands ? { level: "success", text: t`Autorisation donnée. Le travail continue jour et nuit.` } : undefined;
    case "refused":
      return { level: "info", text: t`Vous avez refusé chez RdvPermis : rien n'a été donné.` };
    case "other_person":
      return {
        level: "warning",
        text: t`Une autre personne est connectée chez RdvPermis : rien n'a été donné. Déconnectez-la là-bas, puis recommencez.`,
      };
    case "other_school":
      return {
        level: "warning",
        text: t`RdvPermis vous rattache à une autre école : rien n'a été donné. Reconnectez-vous, puis recommencez.`,
      };
    case "not_offered":
      return {
        level: "warning",
        text: t`RdvPermis n'accorde pas encore d'accès durable à ResaPermis : rien n'a été donné. Prévenez votre responsable.`,
      };
    case "signed_out":
      return {
        level: "warning",
        text: t`Votre session s'est terminée entre-temps : rien n'a été donné. Recommencez.`,
      };
    case "no_right":
      return { level: "warning", text: t`Votre rôle ne permet plus de la donner : rien n'a été donné.` };
    case "unavailable":
      return { level: "warning", text: t`Un service ne répond pas : rien n'a été donné. Recommencez plus tard.` };
    case "failed":
      return { level: "warning", text: t`RdvPermis n'a pas confirmé : rien n'a été donné. Recommencez.` };
  }
}

export function endText({ endedAt, reason }: GrantEnd): string {
  const day = dayFull(endedAt);
  switch (reason) {
    case "withdrawn":
      return t`Vous avez retiré votre autorisation le ${day}.`;
    case "run_out":
      return t`Votre autorisation a pris fin le ${day}, après douze mois.`;
    case "refused":
      return t`RdvPermis n'accepte plus votre autorisation depuis le ${day} : donnez-la à nouveau.`;
    case "lost":
      return t`Votre autorisation est devenue inutilisable le ${day}, une réponse de RdvPermis s'étant perdue : donnez-la à nouveau.`;
    case "other_school":
      return t`Votre autorisation a pris fin le ${day} : vous travaillez pour une autre école.`;
    case "no_right":
      return t`Votre autorisation a pris fin le ${day} : votre rôle ne la permet plus.`;
  }
}
