import { t } from "@lingui/core/macro";

/** The actions offered as a filter. */
export const ACTIONS = [
  "session.start",
  "session.end",
  "grant.give",
  "grant.withdraw",
  "grant.end",
  "candidate.create",
  "candidate.update",
  "candidate.read",
  "mandate.change",
  "basket.hold",
  "basket.name",
  "basket.release",
  "basket.validate",
  "booking.confirm",
  "booking.cancel",
  "booking.replace",
  "access.denied",
] as const;

/** The actions that a security officer may ask for one by one. */
export const SECURITY_ACTIONS = [
  "access.denied",
  "session.start",
  "session.end",
  "token.grant",
  "token.refresh",
  "token.revoke",
  "token.expire",
  "grant.give",
  "grant.withdraw",
  "grant.end",
  "rdvpermis.call",
] as const;

/** What an action's stable word means; an unknown word is shown as it stands. */
export function actionText(action: string): string {
  const texts: Record<string, () => string> = {
    "session.start": () => t`Connexion`,
    "session.end": () => t`Fin de session`,
    "access.denied": () => t`Accès refusé`,
    "token.grant": () => t`Accès à RdvPermis obtenu`,
    "token.revoke": () => t`Accès à RdvPermis rendu`,
    "token.expire": () => t`Accès à RdvPermis expiré`,
    "grant.give": () => t`Travail en arrière-plan autorisé`,
    "grant.withdraw": () => t`Travail en arrière-plan : autorisation retirée`,
    "grant.end": () => t`Travail en arrière-plan : autorisation terminée`,
    "rdvpermis.call": () => t`Appels à RdvPermis`,
    "token.refresh": () => t`Accès à RdvPermis renouvelé`,
    "candidate.create": () => t`Candidat inscrit`,
    "candidate.update": () => t`Candidat corrigé`,
    "candidate.read": () => t`Données d'un candidat lues`,
    "mandate.change": () => t`Mandat changé`,
    "basket.hold": () => t`Créneau demandé`,
    "basket.poll": () => t`Panier relu chez RdvPermis`,
    "basket.set_line_resources": () => t`Enseignant et véhicule choisis`,
    "basket.name": () => t`Candidat nommé`,
    "basket.release": () => t`Créneau rendu`,
    "basket.expire": () => t`Panier expiré`,
    "basket.withdraw": () => t`Créneau retiré par RdvPermis`,
    "basket.validate": () => t`Panier validé`,
    "booking.confirm": () => t`Réservation confirmée`,
    "booking.find": () => t`Réservation trouvée chez RdvPermis`,
    "booking.cancel": () => t`Réservation annulée`,
    "booking.replace": () => t`Candidat remplacé`,
    "booking.swap": () => t`Réservations permutées`,
    "booking.done": () => t`Examen passé`,
    "booking.result": () => t`Résultat d'examen reçu`,
    "compliance.drift": () => t`Réservation qui ne respecte plus les règles`,
    "slot.withdraw": () => t`Créneau retiré par RdvPermis`,
    "threshold.reach": () => t`Seuil atteint`,
    "threshold.differ": () => t`Seuil différent chez RdvPermis`,
    "penalty.propose": () => t`Levée d'une pénalité demandée`,
    "penalty.approve": () => t`Levée d'une pénalité approuvée`,
    "availability.add": () => t`Indisponibilité déclarée`,
    "availability.import": () => t`Indisponibilités importées`,
    "availability.remove": () => t`Indisponibilité supprimée`,
    "feed.create": () => t`Lien de calendrier créé`,
    "feed.revoke": () => t`Lien de calendrier révoqué`,
    "trainer.set": () => t`Formateur enregistré`,
    "vehicle.set": () => t`Véhicule enregistré`,
    "hours.declare": () => t`Heures déclarées`,
    "fte.compute": () => t`Équivalents temps plein calculés`,
    "school.licence": () => t`Agrément de l'école enregistré`,
    "authorisation.end": () => t`Fin d'un agrément ou d'une autorisation signalée`,
    "favourite.set": () => t`Centres favoris choisis`,
    "search.save": () => t`Recherche enregistrée`,
    "search.delete": () => t`Recherche supprimée`,
    "search.match": () => t`Créneau trouvé par une recherche enregistrée`,
    "parameter.propose": () => t`Valeur d'un paramètre proposée`,
    "parameter.approve": () => t`Valeur d'un paramètre approuvée`,
    "notice.mail": () => t`Message envoyé`,
    erased: () => t`Contenu effacé`,
  };
  return texts[action]?.() ?? action;
}

/** Why access was refused; a word without a text (a limit, a code of a sign-in) is shown as it stands. */
export function reasonText(reason: string): string {
  const texts: Record<string, () => string> = {
    cross_site: () => t`demandé depuis un autre site`,
    csrf_token: () => t`jeton de page absent ou périmé`,
    embedded: () => t`demandé par une partie d'une page`,
    no_session: () => t`sans connexion`,
    session_ended: () => t`connexion terminée`,
    step_up: () => t`identité à confirmer`,
    no_right: () => t`droit manquant`,
    no_school: () => t`sans école`,
    no_person: () => t`sans personne`,
    own_proposal: () => t`sa propre proposition`,
    certificate_denied: () => t`certificat révoqué`,
    certificate_untrusted: () => t`certificat d'une ancienne autorité`,
    certificate_expired: () => t`certificat expiré`,
    certificate_unlisted: () => t`certificat d'un autre service`,
    principal_forged: () => t`identité falsifiée`,
    principal_audience: () => t`identité destinée à un autre service`,
    principal_expired: () => t`identité périmée`,
    principal_twice: () => t`deux identités à la fois`,
  };
  const found = texts[reason]?.();
  if (found !== undefined) return found;
  if (reason.startsWith("rate_")) return t`trop de demandes par minute`;
  if (reason.startsWith("crowded")) return t`trop de demandes à la fois`;
  return reason;
}
