/** Words of people's roles and states; an unknown word is shown as it stands. */
import { t } from "@lingui/core/macro";
import type { PersonRole } from "../api/contract/types.ts";

/** The roles of who is not an employee, as they may be invited. */
export const INVITED_ROLES: readonly PersonRole[] = [
  "supervisor",
  "auditor",
  "dpo",
  "security_officer",
  "platform_admin",
  "candidate",
];

export function roleName(role: string): string {
  const names: Record<string, () => string> = {
    school_admin: () => t`administrateur de l'école`,
    school_manager: () => t`gérant de l'école`,
    trainer: () => t`formateur`,
    supervisor: () => t`superviseur`,
    candidate: () => t`candidat`,
    dpo: () => t`délégué à la protection des données`,
    security_officer: () => t`responsable de la sécurité`,
    platform_admin: () => t`administrateur de la plateforme`,
    auditor: () => t`auditeur`,
  };
  return names[role]?.() ?? role;
}
