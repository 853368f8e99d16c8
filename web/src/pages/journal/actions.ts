import { t } from "@lingui/core/macro";

/** The actions offered as a filter. */
export const ACTIONS = [
  "session.start",
  "candidate.create",
  "candidate.read",
  "mandate.change",
  "basket.hold",
  "basket.name",
  "basket.release",
  "basket.validate",
  "booking.confirm",
  "booking.cancel",
  "booking.replace",
] as const;

/** What an action's stable word means; an unknown word is shown as it stands. */
export function actionText(action: string): string {
  const texts: Record<string, () => string> = {
    "session.start": () => t`Connexion`,
    "session.end": () => t`Déconnexion`,
    "sign_in.refused": () => t`Connexion refusée`,
    "token.refresh": () => t`Accès à RdvPermis renouvelé`,
    "candidate.create": () => t`Candidat inscrit`,
    "candidate.read": () => t`Données d'un candidat lues`,
    "mandate.request": () => t`Mandat demandé`,
    "mandate.change": () => t`Mandat changé`,
    "mandate.revoke": () => t`Mandat rendu`,
    "basket.hold": () => t`Créneau demandé`,
    "basket.poll": () => t`Panier relu chez RdvPermis`,
    "basket.set_line_resources": () => t`Enseignant et véhicule choisis`,
    "basket.name": () => t`Candidat nommé`,
    "basket.release": () => t`Créneau rendu`,
    "basket.expire": () => t`Panier expiré`,
    "basket.withdraw": () => t`Créneau retiré par RdvPermis`,
    "basket.validate": () => t`Panier validé`,
    "booking.confirm": () => t`Réservation confirmée`,
    "booking.cancel": () => t`Réservation annulée`,
    "booking.replace": () => t`Candidat remplacé`,
    "booking.swap": () => t`Réservations échangées`,
    "slot.withdraw": () => t`Créneau retiré par RdvPermis`,
    "threshold.reach": () => t`Seuil atteint`,
    "notice.mail": () => t`Message envoyé`,
    "notice.read": () => t`Message lu`,
    erased: () => t`Contenu effacé`,
  };
  return texts[action]?.() ?? action;
}
