/**
 * A warning two minutes before the session ends; one key extends it (2.2.1). A person who is at work is not disturbed: each of her
 * requests extends the session at the gateway, so before the warning we first ask what is left.
 */

import { t } from "@lingui/core/macro";
import { Button, Modal } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { Session } from "../../api/contract/types.ts";
import { sessionQuery } from "../../api/session.ts";
import { useSecondsLeft } from "../../components/Countdown.tsx";
import { signedOut } from "../../live/feed.ts";
import { useStore } from "../../live/store.ts";
import { clockTime, duration } from "../../time/format.ts";

const WARNING = 120;
/** Mouse or keys used this recently mean that she is at work, ms. */
const AT_WORK = 120_000;

export function SessionWarning({ session }: { session: Session }) {
  const client = useQueryClient();
  const left = useSecondsLeft(session.expiresAt);
  const out = useStore(signedOut);
  const lastAct = useRef(performance.now());
  useEffect(() => {
    const touch = () => {
      lastAct.current = performance.now();
    };
    window.addEventListener("pointerdown", touch, { passive: true });
    window.addEventListener("keydown", touch, { passive: true });
    return () => {
      window.removeEventListener("pointerdown", touch);
      window.removeEventListener("keydown", touch);
    };
  }, []);
  const warn = left <= WARNING && left > 0;
  const extend = () => client.refetchQueries({ queryKey: sessionQuery.queryKey });
  useEffect(() => {
    if (warn && performance.now() - lastAct.current < AT_WORK) {
      client.refetchQueries({ queryKey: sessionQuery.queryKey });
    }
  }, [warn, client]);
  useEffect(() => {
    if (left === 0) signedOut.set(true);
  }, [left]);
  const at = clockTime(session.expiresAt);
  const rest = duration(left);
  return (
    <Modal
      opened={warn && !out}
      onClose={extend}
      title={t`Votre session se termine bientôt`}
      closeButtonProps={{ "aria-label": t`Rester connecté` }}
    >
      <div className="rp-stack">
        <p>
          {t`Sans geste de votre part, elle se termine à ${at}.`}{" "}
          <span role="timer" aria-live="off">{t`Reste ${rest}.`}</span>
        </p>
        <div className="rp-row rp-row--end">
          <Button onClick={extend} data-autofocus>
            {t`Rester connecté`}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
