import { t } from "@lingui/core/macro";

/** What an action's stable word means; an unknown word is shown as it stands. */
export function actionText(action: string): string {
  const texts: Record<string, () => string> = {
    "session.open": () => t`Connexion`,
    "session.end": () => t`Déconnexion`,
    "session.refuse": () => t`Connexion refusée`,
    "token.refresh": () => t`Jeton de RdvPermis renouvelé`,
    "access.deny": () => t`Accès refusé`,
    "candidate.create": () => t`Candidat inscrit`,
    "candidate.read": () => t`Données d'un candidat lues`,
    "candidate.search": () => t`Recherche d'un candidat`,
    "mandate.request": () => t`Mandat demandé`,
    "mandate.change": () => t`Mandat changé`,
    "mandate.revoke": () => t`Mandat rendu`,
    "basket.hold": () => t`Créneaux demandés`,
    "basket.ask": () => t`Créneau demandé`,
    "basket.settle": () => t`Réponse de RdvPermis au panier`,
    "basket.name": () => t`Candidat nommé`,
    "basket.release": () => t`Créneau rendu`,
    "basket.expire": () => t`Panier expiré`,
    "basket.validate": () => t`Panier validé`,
    "line.change": () => t`Ligne du panier changée`,
    "booking.confirm": () => t`Réservation confirmée`,
    "booking.cancel": () => t`Réservation annulée`,
    "booking.replace": () => t`Candidat remplacé`,
    "slot.withdraw": () => t`Créneau retiré par RdvPermis`,
    "threshold.reach": () => t`Seuil atteint`,
    erased: () => t`Contenu effacé`,
  };
  return texts[action]?.() ?? action;
}
