import { t } from "@lingui/core/macro";

/** What an action's stable word means; an unknown word is shown as it stands. */
export function actionText(action: string): string {
  const texts: Record<string, () => string> = {
    "session.opened": () => t`Connexion`,
    "session.closed": () => t`Déconnexion`,
    "session.refused": () => t`Connexion refusée`,
    "candidate.created": () => t`Candidat inscrit`,
    "candidate.read": () => t`Données d'un candidat lues`,
    "candidate.searched": () => t`Recherche d'un candidat`,
    "mandate.requested": () => t`Mandat demandé`,
    "mandate.activated": () => t`Mandat actif`,
    "mandate.refused": () => t`Mandat refusé`,
    "mandate.revoked": () => t`Mandat rendu`,
    "slot.searched": () => t`Créneaux cherchés`,
    "basket.asked": () => t`Créneaux demandés`,
    "basket.held": () => t`Créneau retenu`,
    "basket.refused": () => t`Créneau refusé`,
    "basket.named": () => t`Candidat nommé`,
    "basket.released": () => t`Créneau rendu`,
    "basket.expired": () => t`Panier expiré`,
    "booking.confirmed": () => t`Réservation confirmée`,
    "booking.rejected": () => t`Réservation rejetée`,
    "booking.cancelled": () => t`Réservation annulée`,
    "booking.replaced": () => t`Candidat remplacé`,
  };
  return texts[action]?.() ?? action;
}
