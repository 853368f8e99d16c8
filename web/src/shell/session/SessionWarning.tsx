/**
 * A warning two minutes before the session ends; one key extends it (2.2.1). Acts may have gone out with other
 * requests: as the warning comes we ask what is left, which extends nothing by itself. At the end the page is blanked (Root).
 */

import { t } from "@lingui/core/macro";
import { Button, Modal } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { acted, watchActs } from "../../api/contract/presence.ts";
import type { Session } from "../../api/contract/types.ts";
import { sessionQuery } from "../../api/session.ts";
import { useSecondsLeft } from "../../components/Countdown.tsx";
import { useAct } from "../../live/act.ts";
import { extendSession, signedOut } from "../../live/feed.ts";
import { clockTime, duration } from "../../time/format.ts";

const WARNING = 120;

export function SessionWarning({ session }: { session: Session }) {
  const client = useQueryClient();
  const left = useSecondsLeft(session.expiresAt);
  useEffect(() => watchActs(() => extendSession(client)), [client]);
  const warn = left <= WARNING && left > 0;
  const { mutate: extend } = useAct(() => {
    acted();
    return extendSession(client);
  });
  useEffect(() => {
    if (warn) client.refetchQueries({ queryKey: sessionQuery.queryKey });
  }, [warn, client]);
  useEffect(() => {
    if (left === 0) signedOut.set(true);
  }, [left]);
  const at = clockTime(session.expiresAt);
  const rest = duration(left);
  return (
    <Modal
      opened={warn}
      onClose={() => extend()}
      title={t`Votre session se termine bientôt`}
      closeButtonProps={{ "aria-label": t`Prolonger la session` }}
    >
      <div className="rp-stack">
        <p>
          {t`Sans geste de votre part, elle se termine à ${at}.`}{" "}
          <span role="timer" aria-live="off">{t`Reste ${rest}.`}</span>
        </p>
        <div className="rp-row rp-row--end">
          <Button onClick={() => extend()} data-autofocus>
            {t`Prolonger la session`}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
