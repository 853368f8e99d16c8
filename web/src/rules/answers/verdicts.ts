/** The verdict of a rule, in words (web.md §4). Verdicts are data; the sentence is made here, in the reader's language. */
import { plural, t } from "@lingui/core/macro";
import type { Verdict } from "../../api/contract/types.ts";
import { ofMonth, parisMoment } from "../../time/format.ts";
import { departmentName } from "../departments.ts";

/** The rules that have a sentence here; a newer one has the gateway's. */
const KNOWN = new Set([
  "R-TERRITORY",
  "R-THRESHOLD",
  "R-API-PACE",
  "R-PAST",
  "R-PUBLISHED",
  "R-CATEGORY",
  "R-MANDATE",
  "R-ONE-ACTIVE",
  "R-BASKET",
  "R-GROUP",
  "R-PENALTY",
  "R-AVAILABLE",
  "R-RDVPERMIS",
  "R-LICENSED",
  "R-NAMED",
  "R-REPLACE",
  "R-NOTICE",
  "R-HOLD-TTL",
]);

export function isKnown(rule: string): boolean {
  return KNOWN.has(rule);
}

/** The sentence for a rule that refused. A fact that is missing makes the sentence shorter, never wrong. */
export function verdictText(verdict: Verdict): string {
  const { facts } = verdict;
  const until = verdict.opensAt ? parisMoment(verdict.opensAt) : undefined;
  const fact = (name: string) => facts[name] || undefined;
  const limit = fact("limit");
  switch (verdict.rule) {
    case "R-TERRITORY": {
      const department = fact("slotDepartment");
      if (!department)
        return until ? t`Réservé aux écoles du département jusqu'au ${until}.` : t`Réservé aux écoles du département.`;
      const place = departmentName(department);
      return until
        ? t`Réservé aux écoles du département (${place}) jusqu'au ${until}.`
        : t`Réservé aux écoles du département (${place}).`;
    }
    case "R-THRESHOLD": {
      const month = fact("month");
      const taken = fact("taken");
      if (verdict.remedy === "declare_trainers") {
        return facts.fte === "unknown"
          ? t`Seuil inconnu : déclarez vos heures.`
          : t`Seuil nul : aucun formateur n'est compté, déclarez vos heures.`;
      }
      if (facts.rdvpermisLimit === "0") {
        return t`RdvPermis fixe ce seuil à 0 : vérifiez les formateurs déclarés chez RdvPermis.`;
      }
      const figures =
        month && taken && limit
          ? t`Seuil ${ofMonth(month)} atteint : ${taken} sur ${limit}.`
          : t`Seuil du mois atteint.`;
      return until ? t`${figures} De nouveau possible le ${until}.` : figures;
    }
    case "R-API-PACE":
      return until
        ? t`Plafond du moment atteint : la part du seuil accessible aujourd'hui est prise. Il remonte le ${until}.`
        : t`Plafond du moment atteint : la part du seuil accessible aujourd'hui est prise. Il remonte au fil du mois.`;
    case "R-BASKET":
      return limit
        ? t`Panier plein (${limit}). Validez ou rendez un créneau.`
        : t`Panier plein. Validez ou rendez un créneau.`;
    case "R-GROUP":
      return limit
        ? plural(Number(limit), {
            one: "Au plus # créneau par demande. Faites-en une autre ensuite.",
            other: "Au plus # créneaux par demande. Faites-en une autre ensuite.",
          })
        : t`Trop de créneaux en une demande.`;
    case "R-HOLD-TTL":
      return t`Le délai du panier est écoulé. Les créneaux sont rendus.`;
    case "R-NAMED":
      return t`Chaque ligne a son candidat, et un candidat ne figure que sur une ligne.`;
    case "R-REPLACE":
      return t`Changement impossible : plus de remplacement ce mois-ci. Autre choix : annuler.`;
    case "R-PAST":
      return t`Ce créneau a commencé ou est passé. Plus rien ne peut y changer.`;
    case "R-NOTICE":
      return t`L'examen est trop proche pour ce changement.`;
    case "R-PENALTY": {
      const why = restrictionReason(fact("reason") ?? "");
      return until
        ? t`Ce candidat ne peut pas réserver avant le ${until} (${why}).`
        : t`Ce candidat ne peut pas réserver pour le moment (${why}).`;
    }
    case "R-ONE-ACTIVE":
      return t`Ce candidat a déjà un examen à venir pour ce permis.`;
    case "R-AVAILABLE":
      return conflictText(facts);
    case "R-RDVPERMIS":
      return t`Selon RdvPermis, ce candidat ne peut pas prendre ce créneau.`;
    case "R-CATEGORY": {
      if (facts.field === "kind") return t`Le plateau doit être réussi avant la circulation.`;
      if (facts.field === "gearbox") return t`La boîte de vitesses du véhicule n'est pas celle du mandat.`;
      if (facts.field === "vehicle" || facts.field === "vehicle_category")
        return t`Ce véhicule ne convient pas à ce permis.`;
      const slot = fact("slot");
      const mandate = fact("mandate");
      return slot && mandate
        ? t`Créneau pour le permis ${slot}, mandat pour ${mandate}.`
        : t`Le créneau et le mandat ne concernent pas le même permis.`;
    }
    case "R-LICENSED":
      return facts.whose === "trainer"
        ? t`L'autorisation d'enseigner du formateur n'est pas en vigueur.`
        : facts.whose === "school"
          ? t`L'agrément de l'école n'est pas en vigueur.`
          : t`L'agrément de l'école ou du formateur n'est pas en vigueur.`;
    case "R-PUBLISHED":
      return until
        ? t`RdvPermis publie ce créneau le ${until}.`
        : t`Ce créneau est pris, retiré ou pas encore publié par RdvPermis.`;
    case "R-MANDATE":
      return t`Pas de mandat actif. Demandez-le au candidat.`;
    default:
      return t`Une règle ne le permet pas.`;
  }
}

/**
 * What is worth saying of the rules that refuse. The pace is a share of the threshold: where the threshold itself refuses, it refuses
 * too, and when it rises would say nothing true.
 */
export function telling<T extends { readonly rule: string }>(against: readonly T[]): readonly T[] {
  return against.some(({ rule }) => rule === "R-THRESHOLD")
    ? against.filter(({ rule }) => rule !== "R-API-PACE")
    : against;
}

/** Why a candidate is restricted; a motif of RdvPermis that is not known is a penalty of theirs. */
export function restrictionReason(reason: string): string {
  switch (reason) {
    case "absence":
    case "ABSENCE":
      return t`absence à un examen`;
    case "late_cancellation":
    case "ANNULATION_TARDIVE":
      return t`annulation tardive`;
    case "failure":
    case "ECHEC":
      return t`échec à un examen`;
    case "passed":
      return t`examen déjà obtenu`;
    case "result_pending":
      return t`résultat attendu`;
    default:
      return t`pénalité`;
  }
}

/** Who is not free at that hour, and whether by absence or by another exam with its travel time. */
function conflictText({ whose, what, travelMinutes }: Record<string, string>): string {
  const names = (whose ?? "")
    .split(",")
    .flatMap((one) =>
      one === "candidate"
        ? [t`le candidat`]
        : one === "trainer"
          ? [t`le formateur`]
          : one === "vehicle"
            ? [t`le véhicule`]
            : one === "school"
              ? [t`l'école`]
              : [],
    )
    .join(", ");
  if (!names) return t`Une personne ou un véhicule n'est pas libre à cette heure.`;
  if (what !== "booking") return t`Pas libre à cette heure : ${names}.`;
  return travelMinutes && travelMinutes !== "0"
    ? t`Déjà pris par un autre examen, trajet de ${travelMinutes} min compris : ${names}.`
    : t`Déjà pris par un autre examen à cette heure : ${names}.`;
}

/** The moment at which the last of the closed rules opens; undefined when one of them does not open with time. */
export function opensAt(verdicts: readonly Verdict[]): string | undefined {
  const refused = verdicts.filter((verdict) => !verdict.allowed);
  const moments = refused.map((verdict) => verdict.opensAt);
  if (moments.length === 0 || moments.some((moment) => !moment)) return undefined;
  return moments
    .map(String)
    .sort((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
}
