/** Notices within a page: what happened, why, what to do. `danger` alone is an alert, for loss. */
import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconInfoCircle } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import type { ReactNode, Ref } from "react";
import { keys } from "../api/contract/cache.ts";
import { Problem } from "../api/contract/problem.ts";
import type { Reason, Session } from "../api/contract/types.ts";
import { proveByPasskey } from "../api/people/passkey.ts";
import { useAct } from "../live/act.ts";
import { refusalText } from "../rules/answers/refusals.ts";

export type Level = "info" | "success" | "warning" | "danger";

const ICONS = { info: IconInfoCircle, success: IconCircleCheck, warning: IconAlertTriangle, danger: IconCircleX };

export function Notice({
  level,
  children,
  focusRef,
  alert = false,
}: {
  level: Level;
  children: ReactNode;
  focusRef?: Ref<HTMLDivElement>;
  alert?: boolean;
}) {
  const Icon = ICONS[level];
  return (
    <div
      className={`rp-notice rp-notice--${level}`}
      {...(focusRef ? { ref: focusRef, tabIndex: -1 } : {})}
      {...(alert ? { role: "alert" } : {})}
    >
      <Icon size={20} aria-hidden />
      <div className="rp-notice__text">{children}</div>
    </div>
  );
}

/** Codes stand under "Détails": for support, never in the sentence. */
export function ReasonDetails({ reason }: { reason: Reason }) {
  const sources = (reason.verdicts ?? []).filter((verdict) => !verdict.allowed);
  const codes = [reason.code, reason.rdvpermisCode, reason.errorId].filter(Boolean);
  return <Details items={[...sources.map(ruleDetails), codes.join(" · ")]} />;
}

/** "R-TERRITORY · RdvPermis charter 3.2" */
export function ruleDetails({ rule, source }: { rule: string; source: string }): string {
  return `${rule} · ${source}`;
}

export function Details({ items }: { items: readonly string[] }) {
  return (
    <details className="rp-small rp-muted">
      <summary>{t`Détails`}</summary>
      <ul>
        {[...new Set(items)].map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </details>
  );
}

/**
 * Where an act asks who is there: RdvPermis asks anew, then leads back here, and what was typed stays in this tab's storage; or the
 * passkey of who is no employee, here.
 */
function ConfirmIdentity() {
  const here = useRouterState({ select: (state) => state.location.href });
  const session = useQueryClient().getQueryData<Session | null>(keys.session);
  const proving = useAct(() => proveByPasskey());
  if (session && session.school === null) {
    return proving.isSuccess ? (
      <p>{t`C'est fait. Recommencez.`}</p>
    ) : (
      <p>
        <Button variant="default" size="compact-md" onClick={() => proving.mutate()}>
          {t`Confirmer avec ma clé d'accès`}
        </Button>
      </p>
    );
  }
  return (
    <p>
      <a href={`/auth/login?fresh=true&returnTo=${encodeURIComponent(here)}`}>{t`Confirmer mon identité`}</a>
    </p>
  );
}

export function ProblemNotice({ error, children }: { error: unknown; children?: ReactNode }) {
  const reason: Reason = error instanceof Problem ? error : { code: "INTERNAL", verdicts: [] };
  return (
    <Notice level={error instanceof Problem && (error.lost || error.status >= 500) ? "warning" : "danger"} alert>
      <p>{refusalText(reason)}</p>
      {reason.code === "STEP_UP_NEEDED" ? <ConfirmIdentity /> : null}
      {children}
      <ReasonDetails reason={reason} />
    </Notice>
  );
}
