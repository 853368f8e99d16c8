import { plural, t } from "@lingui/core/macro";
import type { AuditRecord } from "../../api/contract/types.ts";
import { reasonText } from "./actions.ts";

/** What an act's name leaves open: why a session or a grant ended, what was refused and how often. */
export function detailText(record: AuditRecord, security: boolean): string | undefined {
  const { reason, cause } = record.facts;
  switch (record.action) {
    case "access.denied":
      return deniedText(record, security);
    case "session.end":
      return record.outcome === "done" && cause ? causeText(cause) : undefined;
    case "grant.end":
      return reason ? grantEndText(reason) : undefined;
    case "token.expire":
      return reason ? expiryText(reason) : undefined;
    default:
      return undefined;
  }
}

/** Refusals of one kind in a minute are one record. Routes and calls stand as they are for who watches over security alone. */
function deniedText(record: AuditRecord, security: boolean): string {
  const { reason, count } = record.facts;
  const why = reasonText(reason ?? "");
  const often =
    count && count !== "1" ? plural(Number(count), { one: `${why}, # fois`, other: `${why}, # fois` }) : why;
  const id = record.object?.id ?? "";
  const where = security ? id : areaText(id);
  return where ? t`${often} : ${where}` : often;
}

/** Why a session ended; a word without a text is shown as it stands. */
export function causeText(cause: string): string {
  const texts: Record<string, () => string> = {
    signed_out: () => t`déconnexion`,
    ended_elsewhere: () => t`depuis une autre session de la même personne`,
    replaced: () => t`remplacée par une nouvelle connexion dans le même navigateur`,
    idle: () => t`inactivité`,
    expired: () => t`durée maximale atteinte`,
    suspicious: () => t`usage suspect`,
    provider: () => t`déconnexion chez RdvPermis`,
    suspended: () => t`accès suspendu par un administrateur de la plateforme`,
    left: () => t`accès terminé par un administrateur de la plateforme`,
    no_school: () => t`RdvPermis n'indique aucune école`,
    grant: () => t`accès à RdvPermis terminé`,
    other_school: () => t`connexion pour une autre école`,
    other_provider: () => t`autre service de connexion à RdvPermis`,
  };
  return texts[cause]?.() ?? cause;
}

/** Why a grant for background work ended, as the journal names it. */
export function grantEndText(reason: string): string {
  const texts: Record<string, () => string> = {
    run_out: () => t`durée écoulée`,
    replaced: () => t`remplacée par une nouvelle`,
    other_school: () => t`son auteur travaille pour une autre école`,
    no_right: () => t`droit manquant`,
    other_provider: () => t`autre service de connexion à RdvPermis`,
    rdvpermis: () => t`refusée par RdvPermis`,
    invalid_grant: () => t`refusée par RdvPermis`,
    refresh_expired: () => t`refusée par RdvPermis`,
    id_token_refused: () => t`refusée par RdvPermis`,
    answer_lost: () => t`devenue inutilisable`,
    unreadable: () => t`devenue inutilisable`,
  };
  return texts[reason]?.() ?? reason;
}

/** Why an access was left to end by itself. */
function expiryText(reason: string): string {
  const texts: Record<string, () => string> = {
    spared: () => t`le rendre aurait coupé d'autres accès de la même personne`,
    other_provider: () => t`donné par un autre service de connexion`,
  };
  return texts[reason]?.() ?? reason;
}

/** The part of ResaPermis that a route or a call belongs to, or "": "GET /api/v1/basket", "basket.v1.BasketService/HoldSlots". */
export function areaText(id: string): string {
  const area = /^[A-Z]+ \/(?:api\/v1\/)?([a-z-]+)/.exec(id)?.[1] ?? /^([a-z]+)\.v1\./.exec(id)?.[1] ?? "";
  const texts: Record<string, () => string> = {
    audit: () => t`Journal`,
    auth: () => t`Connexion`,
    basket: () => t`Panier`,
    booking: () => t`Réservations`,
    bookings: () => t`Réservations`,
    "calendar-feeds": () => t`Équipe`,
    candidates: () => t`Candidats`,
    centres: () => t`Créneaux`,
    "favourite-centres": () => t`Créneaux`,
    mandate: () => t`Candidats`,
    mandates: () => t`Candidats`,
    me: () => t`Mon compte`,
    notification: () => t`Messages`,
    notifications: () => t`Messages`,
    rdvpermis: () => t`RdvPermis`,
    restrictions: () => t`Candidats`,
    "saved-searches": () => t`Créneaux`,
    scheduling: () => t`Créneaux`,
    school: () => t`Équipe`,
    slots: () => t`Créneaux`,
    thresholds: () => t`Seuils`,
    unavailabilities: () => t`Équipe`,
  };
  return texts[area]?.() ?? "";
}
