/** What can be done about a rule that stands against: the stable words of scheduling-rules, as an invitation and a place to go. */
import { t } from "@lingui/core/macro";
import type { Need, Verdict } from "../api/types.ts";

/** A need as the verdict that it is made from: the sentences are the same. */
export function verdictOf(need: Need): Verdict {
  return { ...need, allowed: false };
}

/** A rule that refused, as what stands against. */
export function needOf({ rule, source, facts, remedy, opensAt }: Verdict): Need {
  return { rule, source, facts, remedy: remedy ?? null, opensAt: opensAt ?? null };
}

/** What to do, in a few words; undefined where the sentence of the rule says it all. */
export function remedyText(remedy: string | null): string | undefined {
  switch (remedy) {
    case "wait":
      return t`Attendez : cela s'ouvre tout seul.`;
    case "ask_mandate":
      return t`Demandez le mandat au candidat.`;
    case "declare_trainers":
      return t`Déclarez vos formateurs.`;
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
      return t`Choisissez un autre accompagnateur.`;
    case "choose_another_vehicle":
      return t`Choisissez un autre véhicule.`;
    case "validate_or_release":
      return t`Validez ou rendez des créneaux du panier.`;
    case "ask_fewer":
      return t`Demandez moins de créneaux à la fois.`;
    default:
      return undefined;
  }
}
