/** What can be done about a rule that refuses: the stable words of scheduling-rules, as a sentence and a page to go to. */
import { t } from "@lingui/core/macro";
import type { Need, Verdict } from "../../api/contract/types.ts";
import { isKnown, verdictText } from "./verdicts.ts";

/** A need as the verdict that it is made from: the sentences are the same. */
export function verdictOf({ rule, source, facts, remedy, opensAt }: Need): Verdict {
  return { rule, source, facts, remedy, opensAt, allowed: false };
}

/** The sentence of a rule that refuses; for a rule that this page does not know, the gateway's. */
export function needText(need: Need): string {
  return isKnown(need.rule) || !need.detail ? verdictText(verdictOf(need)) : need.detail;
}

/** A verdict that refuses, as a need. */
export function needOf({ rule, source, facts, remedy, opensAt }: Verdict): Need {
  return { rule, source, facts, remedy: remedy ?? null, opensAt: opensAt ?? null, detail: null, action: null };
}

/** What to do, in a few words; undefined where the sentence of the rule is enough. */
export function remedyText(need: Need): string | undefined {
  switch (need.remedy) {
    case "wait":
      return t`Attendez : l'ouverture est automatique.`;
    case "ask_mandate":
      return t`Demandez le mandat au candidat.`;
    case "declare_trainers":
      // The threshold waits for hours; where RdvPermis itself misses a declaration, it is for the trainers there.
      return need.rule === "R-THRESHOLD" ? t`Déclarez vos heures.` : t`Déclarez vos formateurs.`;
    case "renew_licence":
      return t`Mettez l'agrément à jour dans « Équipe ».`;
    case "choose_another_slot":
    case "search_again":
      return t`Choisissez un autre créneau.`;
    case "choose_another_month":
      return t`Choisissez un autre mois.`;
    case "choose_another_candidate":
      return t`Choisissez un autre candidat.`;
    case "choose_another_trainer":
      return t`Choisissez un autre formateur.`;
    case "choose_another_vehicle":
      return t`Choisissez un autre véhicule.`;
    case "validate_or_release":
      return t`Validez ou rendez des créneaux du panier.`;
    case "ask_fewer":
      return t`Demandez moins de créneaux à la fois.`;
    case "see_basket":
      return t`Consultez votre panier.`;
    case "see_bookings":
      return t`Consultez vos réservations.`;
    case "name_candidate":
      return t`Nommez un candidat.`;
    case "wait_for_penalty":
      return t`Attendez la fin de la pénalité.`;
    case "wait_for_result":
      return t`Attendez le résultat de l'examen.`;
    case "wait_for_pace":
      return t`Le plafond remonte au fil du mois.`;
    case "cancel_or_swap":
      return t`Permutez avec une autre réservation, ou annulez.`;
    case "pass_plateau_first":
      return t`Le candidat doit d'abord réussir le plateau.`;
    default:
      return need.action ?? undefined;
  }
}
