/** The session is over: nothing of the school is on the page any more, nor in its memory. What was typed is in this tab's storage. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconLogin2 } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { announced } from "../../live/announce.ts";
import { followTabs } from "../../live/feed.ts";
import { toasts } from "../../live/toast.ts";
import { Brand } from "../brand/Brand.tsx";
import { LanguageSwitch } from "../brand/LanguageSwitch.tsx";
import { PasskeyEntrance } from "./PasskeyEntrance.tsx";

export function Ended() {
  const client = useQueryClient();
  const here = useRouterState({ select: (state) => state.location.href });
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => link.current?.focus(), []);
  useEffect(() => {
    document.title = "ResaPermis";
    client.clear();
    toasts.set([]);
    announced.set("");
    return followTabs(client);
  }, [client]);
  return (
    <div className="rp-landing">
      <header>
        <span className="rp-brand">
          <Brand />
        </span>
        <LanguageSwitch />
      </header>
      <main>
        <h1>{t`Votre session est terminée`}</h1>
        <p className="rp-lead" role="alert">
          {t`Plus rien de votre école n'est affiché ; ce que vous aviez écrit est gardé dans cet onglet.`}
        </p>
        <div>
          <Button
            component="a"
            href={`/auth/login?returnTo=${encodeURIComponent(here)}`}
            size="md"
            leftSection={<IconLogin2 size={20} aria-hidden />}
            ref={link}
          >
            {t`Se reconnecter`}
          </Button>
        </div>
        <PasskeyEntrance returnTo={here} />
      </main>
      <footer>{t`Service privé, distinct de RdvPermis.`}</footer>
    </div>
  );
}
