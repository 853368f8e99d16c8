/**
 * A button that asks RdvPermis something: one trusted press, locked until answered, focusable all along (rules 4 and 5).
 * It never looks done before the answer came (rule 1).
 */

import { t } from "@lingui/core/macro";
import { Button, type ButtonProps } from "@mantine/core";
import { type ReactNode, useEffect, useId, useRef } from "react";
import { registerMain } from "../live/main-action.ts";
import { useOnline } from "../live/online.ts";
import { ignoreKeyRepeat, isTrusted } from "../live/trusted-event.ts";

export interface ActionButtonProps extends Omit<ButtonProps, "disabled" | "loading"> {
  children: ReactNode;
  onAct: () => void;
  busy?: boolean;
  /** Why it cannot be pressed now; shown beside it. */
  blocked?: string | undefined;
  /** The page's main action: Ctrl+Enter presses it. */
  main?: boolean;
  "data-autofocus"?: boolean;
}

export function ActionButton({ children, onAct, busy = false, blocked, main = false, ...rest }: ActionButtonProps) {
  const online = useOnline();
  const why = useId();
  const reason = online
    ? blocked
    : t`Vous êtes hors ligne. Une fois la connexion revenue, cliquez à nouveau : rien n'est envoyé sans vous.`;
  const locked = busy || reason !== undefined;
  const act = useRef(onAct);
  act.current = locked ? () => undefined : onAct;
  useEffect(() => (main ? registerMain(() => act.current()) : undefined), [main]);
  return (
    <>
      <Button
        type="button"
        {...rest}
        aria-disabled={locked || undefined}
        data-disabled={locked || undefined}
        aria-describedby={reason ? why : undefined}
        {...(main ? { "aria-keyshortcuts": "Control+Enter" } : {})}
        onKeyDown={ignoreKeyRepeat}
        onClick={(event) => {
          if (!locked && isTrusted(event)) onAct();
        }}
      >
        {busy ? t`Demande envoyée…` : children}
      </Button>
      {reason ? (
        <span id={why} className="rp-small rp-muted">
          {reason}
        </span>
      ) : null}
    </>
  );
}
