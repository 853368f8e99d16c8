/**
 * Every refusal as a sentence: what happened, why, what to do, until when (web.md §4). The list of codes is closed in
 * protos/resapermis/errors; RdvPermis' own word, when the refusal is theirs, chooses a finer sentence.
 */
import { t } from "@lingui/core/macro";
import type { LineState, Reason } from "../../api/contract/types.ts";
import { clockTime, parisMoment } from "../../time/format.ts";
import { telling, verdictText } from "./verdicts.ts";

/** The sentence for a refusal. Rules that refused come first: they know more than the code. */
export function refusalText(reason: Reason): string {
  const refused = telling((reason.verdicts ?? []).filter((verdict) => !verdict.allowed));
  if (refused.length > 0) return refused.map(verdictText).join(" ");
  return theirs(reason) ?? ours(reason) ?? unexpected(reason);
}

/** The same for a line that ended: where RdvPermis' answer was lost, it was read there since, and the line is not waiting any more. */
export function lineRefusalText(state: LineState, reason: Reason): string {
  if (reason.code !== "RDVPERMIS_DOWN") return refusalText(reason);
  if (state === "refused") {
    return t`RdvPermis n'a pas répondu et n'a pas retenu ce créneau. Redemandez-le s'il est encore libre.`;
  }
  return state === "rejected"
    ? t`RdvPermis n'a pas répondu et n'a pas réservé ce créneau. Redemandez-le s'il est encore libre.`
    : refusalText(reason);
}

/** "CANDIDAT_SOUS_PENALITE" and the like: what RdvPermis answered, verbatim. */
function theirs({ rdvpermisCode, retryAt }: Reason): string | undefined {
  switch (rdvpermisCode) {
    case "CRENEAU_DEJA_RESERVE":
    case "CRENEAU_NON_DISPONIBLE":
    case "CRENEAU_INCONNU":
      return slotGone();
    case "CRENEAU_NON_RESERVABLE_SEUIL_ATTEINT":
      return threshold(retryAt);
    case "CRENEAU_NON_RESERVABLE_PLAFOND_ATTEINT":
      return cap(retryAt);
    case "CRENEAU_DE_GROUPE_DIFFERENT":
      return otherGroup();
    case "PANIER_PLEIN":
      return basketFull();
    case "PANIER_INCONNU":
      return basketVanished();
    case "CRENEAU_PAS_DANS_LE_PANIER":
      return basketGone();
    case "CANDIDAT_INCONNU":
      return candidateUnknown();
    case "EMAIL_MANQUANT":
    case "EMAIL_DEJA_ATTRIBUE":
      return email();
    case "CANDIDAT_SANS_DEMANDE_ACTIVE":
      return noApplication();
    case "CANDIDAT_DEJA_SOUS_MANDAT":
      return mandateElsewhere();
    case "CANDIDAT_PAS_SOUS_MANDAT":
      return noMandate();
    case "CANDIDAT_DEJA_SOUS_MON_MANDAT":
    case "CANDIDAT_DEJA_DANS_PANIER":
    case "CANDIDAT_DEJA_INSCRIT":
      return alreadyDone();
    case "CANDIDAT_SOUS_PENALITE":
      return penalty(retryAt);
    case "CANDIDAT_EN_ATTENTE_DE_RESULTAT":
    case "CANDIDAT_AYANT_DEJA_OBTENU_SON_EXAMEN":
      return result();
    case "EXAMEN_INCONNU":
    case "EXAMEN_DEJA_ANNULE":
    case "EXAMEN_NON_MODIFIABLE":
      return examFixed();
    case "EXAMEN_NON_NOMINATIF":
      return t`Changement impossible : la réservation n'a pas de candidat. Annulez-la ou écrivez à RdvPermis.`;
    case "PERMUTATION_IMPOSSIBLE":
      return t`Ces deux réservations ne peuvent pas être permutées. Autres choix : remplacer le candidat ou annuler.`;
    case "NOMBRE_DE_REMPLACEMENTS_AUTORISES_ATTEINT":
      return t`Changement impossible : plus de remplacement ce mois-ci. Autre choix : annuler.`;
    case "ACTION_INTERDITE":
      return setup(t`les droits de votre compte chez RdvPermis`);
    case "EMPLOYE_AUTO_ECOLE_INEXISTANT":
    case "EMPLOYE_N_APPARTIENT_PAS_A_AUTO_ECOLE":
      return setup(t`votre rattachement à l'école chez RdvPermis`);
    case "AUTO_ECOLE_NA_AUCUNE_DECLARATION":
      return setup(t`la déclaration des formateurs chez RdvPermis`);
    default:
      return undefined;
  }
}

/** Our closed list. */
function ours(reason: Reason): string | undefined {
  const { retryAt } = reason;
  switch (reason.code) {
    case "SLOT_TAKEN":
    case "RDVPERMIS_SLOT_GONE":
      return slotGone();
    case "QUOTA_EXHAUSTED":
    case "RDVPERMIS_THRESHOLD":
      return threshold(retryAt);
    case "RDVPERMIS_CAP":
      return cap(retryAt);
    case "RDVPERMIS_OTHER_GROUP":
      return otherGroup();
    case "BASKET_FULL":
    case "RDVPERMIS_BASKET_FULL":
      return basketFull();
    case "RDVPERMIS_BASKET_GONE":
      return basketVanished();
    case "RDVPERMIS_CANDIDATE_UNKNOWN":
      return candidateUnknown();
    case "RDVPERMIS_EMAIL":
      return email();
    case "RDVPERMIS_NO_APPLICATION":
      return noApplication();
    case "RDVPERMIS_MANDATE_ELSEWHERE":
      return mandateElsewhere();
    case "NO_MANDATE":
    case "RDVPERMIS_CANDIDATE_NO_MANDATE":
      return noMandate();
    case "RDVPERMIS_MANDATE_ALREADY_OURS":
    case "RDVPERMIS_CANDIDATE_ALREADY":
      return alreadyDone();
    case "CANDIDATE_BUSY":
      return t`Ce candidat est déjà sur une ligne ou réservé. Choisissez-en un autre.`;
    case "RDVPERMIS_CANDIDATE_PENALTY":
      return penalty(retryAt);
    case "RDVPERMIS_CANDIDATE_RESULT":
      return result();
    case "RDVPERMIS_EXAM_FIXED":
      return examFixed();
    case "RDVPERMIS_CHANGE_IMPOSSIBLE":
      return t`Changement impossible chez RdvPermis. Autres choix : un autre candidat, ou annuler.`;
    case "RDVPERMIS_SCHOOL_SETUP":
      return setup(t`le compte de l'école chez RdvPermis`);
    case "HOLD_EXPIRED":
      return t`Panier expiré, créneaux rendus. Vos choix de candidats sont gardés.`;
    case "LINE_UNNAMED":
      return t`Une ligne n'a pas de candidat. Nommez-le, puis validez.`;
    case "NEPH_KNOWN":
      return t`Un candidat de votre école a déjà ce NEPH. Consultez sa fiche, ou vérifiez chaque chiffre.`;
    case "CANDIDATE_MANDATED":
      return t`Un mandat est en cours pour ce nom et ce NEPH. Rendez-le d'abord, puis corrigez et demandez-le de nouveau.`;
    case "ILLEGAL_TRANSITION":
    case "STALE":
      return t`La situation a changé entre-temps. L'affichage vient d'être actualisé.`;
    case "ALL_OR_NOTHING_FAILED":
      return t`Un créneau n'était plus libre : les autres ont été rendus, comme vous l'aviez demandé.`;
    case "MALFORMED":
      return t`Un champ n'a pas la bonne forme. Corrigez-le, puis renvoyez.`;
    case "NOT_FOUND":
      return t`Introuvable, ou n'appartient pas à votre école.`;
    case "KEY_REUSED":
    case "IN_PROGRESS":
      return t`Cette demande est déjà en cours. Le résultat viendra ici.`;
    case "UNAUTHENTICATED":
      return t`Votre session est terminée. Reconnectez-vous : votre travail est gardé.`;
    case "RECONNECT_NEEDED":
      return t`RdvPermis demande de vous reconnecter. Votre travail est gardé.`;
    case "STEP_UP_NEEDED":
      return t`Cette action demande de confirmer votre identité. Ce que vous avez écrit est gardé.`;
    case "FORBIDDEN":
      return t`Votre rôle ne le permet pas. Demandez-le à votre responsable.`;
    case "CSRF":
      return t`La page est trop ancienne. Rechargez-la, puis recommencez.`;
    case "UNKNOWN_OUTCOME":
      return unknownOutcome();
    case "NETWORK":
      return t`La réponse n'est pas arrivée. Vérifiez la connexion ; rien n'est fait deux fois.`;
    case "RDVPERMIS_DOWN":
    case "RDVPERMIS_BUDGET":
      return waiting(retryAt);
    case "OVERLOADED":
      return retryAt
        ? t`Trop de demandes à la fois. Réessayez à ${clockTime(retryAt)}, rien n'est perdu.`
        : t`Trop de demandes à la fois. Attendez un instant, puis recommencez.`;
    case "UNAVAILABLE":
    case "DEADLINE":
      return retryAt
        ? t`Une partie du service est indisponible. Réessayez à ${clockTime(retryAt)}, rien n'est perdu.`
        : t`Une partie du service est indisponible. Réessayez dans un instant, rien n'est perdu.`;
    default:
      return undefined;
  }
}

/** shown wherever an outcome is not known. */
export function unknownOutcome(): string {
  return t`En cours de confirmation auprès de RdvPermis. Ne refaites pas la demande : le résultat viendra ici.`;
}

function slotGone(): string {
  return t`Ce créneau vient d'être pris ou retiré. Voici les plus proches.`;
}

function threshold(until: string | null | undefined): string {
  return until
    ? t`Seuil du mois atteint. De nouveau possible le ${parisMoment(until)}.`
    : t`Seuil du mois atteint. Consultez « Seuils ».`;
}

function cap(until: string | null | undefined): string {
  return until
    ? t`Plafond du moment atteint : la part du seuil accessible aujourd'hui est prise. Il remonte le ${parisMoment(until)}.`
    : t`Plafond du moment atteint : la part du seuil accessible aujourd'hui est prise. Il remonte au fil du mois.`;
}

function otherGroup(): string {
  return t`Le créneau et le mandat ne concernent pas le même permis. Choisissez un candidat qui passe ce permis.`;
}

function basketFull(): string {
  return t`Panier plein. Validez ou rendez un créneau.`;
}

function basketGone(): string {
  return t`Ce créneau n'est plus dans votre panier, qui vient d'être actualisé.`;
}

function basketVanished(): string {
  return t`Votre panier a disparu chez RdvPermis : rien n'est réservé. Le créneau est rendu, retenez-le de nouveau s'il est libre.`;
}

function candidateUnknown(): string {
  return t`Candidat introuvable. Vérifiez le nom de naissance et chaque chiffre du NEPH.`;
}

function email(): string {
  return t`Adresse électronique manquante ou déjà utilisée. Demandez la sienne au candidat.`;
}

function noApplication(): string {
  return t`Pas de demande de permis en cours. Le candidat doit d'abord la déposer.`;
}

function mandateElsewhere(): string {
  return t`Mandat tenu par une autre école. Seul le candidat peut en changer.`;
}

function noMandate(): string {
  return t`Pas de mandat actif. Demandez-le au candidat.`;
}

function alreadyDone(): string {
  return t`C'est déjà fait : consultez la fiche du candidat ou le panier.`;
}

function penalty(until: string | null | undefined): string {
  return until
    ? t`Ce candidat ne peut pas réserver avant le ${parisMoment(until)} (pénalité).`
    : t`Ce candidat ne peut pas réserver pour le moment (pénalité).`;
}

function result(): string {
  return t`Résultat attendu, ou examen déjà obtenu.`;
}

function examFixed(): string {
  return t`Cet examen ne peut plus changer. Son état vient d'être actualisé.`;
}

function setup(what: string): string {
  return t`RdvPermis ne l'autorise pas. À régler par votre responsable : ${what}.`;
}

function waiting(until: string | null | undefined): string {
  return until
    ? t`RdvPermis nous fait attendre. Prochaine lecture à ${clockTime(until)}, rien n'est perdu.`
    : t`RdvPermis nous fait attendre. Nous relisons dès qu'il répond, rien n'est perdu.`;
}

/** A reference may be told on the telephone; a code stands under "Détails". */
function unexpected({ errorId }: Reason): string {
  return errorId
    ? t`Refus inattendu, déjà signalé. Référence ${errorId}.`
    : t`Refus inattendu, déjà signalé. Donnez-nous le code sous « Détails » s'il se répète.`;
}
