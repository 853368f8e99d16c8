/** Whose account this is, their grant for background work, and where they are signed in: each session is ended from here. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconDeviceDesktop, IconDeviceMobile } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { endOwnSession, ownSessionsQuery } from "../../api/account.ts";
import { keys } from "../../api/contract/cache.ts";
import type { OwnSession } from "../../api/contract/types.ts";
import { useAnySession } from "../../api/session.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { toast } from "../../live/toast.ts";
import { roleName } from "../../rules/people.ts";
import { instantShort } from "../../time/format.ts";
import { BackgroundWork } from "./BackgroundWork.tsx";
import { deviceName } from "./device.ts";
import { readOutcome } from "./outcome.ts";
import "./account.css";

const route = getRouteApi("/compte");

export function Account() {
  const session = useAnySession();
  const query = useQuery(ownSessionsQuery);
  const [ending, setEnding] = useState<OwnSession>();
  const { grant } = route.useSearch();
  const navigate = route.useNavigate();
  const [outcome] = useState(() => readOutcome(grant));
  // Said once: a reload does not say it again.
  useEffect(() => {
    if (grant) void navigate({ search: {}, replace: true });
  }, [grant, navigate]);
  return (
    <div className="rp-stack">
      <PageTitle>{t`Mon compte`}</PageTitle>
      <p>
        {session.user.displayName}, {session.school?.name ?? session.roles.map(roleName).join(", ")}
      </p>
      {session.school ? <BackgroundWork outcome={outcome} /> : null}
      <section className="rp-stack rp-stack--tight" aria-labelledby="mes-sessions">
        <h2 id="mes-sessions">{t`Mes sessions`}</h2>
        <p className="rp-muted">{t`Les appareils où votre session est ouverte. Une session que vous ne reconnaissez pas ? Mettez-y fin et prévenez votre responsable.`}</p>
        <Loaded query={query} rows={2} height={64}>
          {({ items }) => (
            <>
              <ul className="rp-sessions">
                {items.map((one) => (
                  <Row key={one.id} session={one} onEnd={() => setEnding(one)} />
                ))}
              </ul>
              {items.some((one) => !one.current) ? null : (
                <Empty title={t`Aucune autre session`}>{t`Votre session n'est ouverte nulle part ailleurs.`}</Empty>
              )}
            </>
          )}
        </Loaded>
      </section>
      <EndDialog session={ending} onClose={() => setEnding(undefined)} />
    </div>
  );
}

function Row({ session, onEnd }: { session: OwnSession; onEnd: () => void }) {
  const device = deviceName(session);
  const Icon = session.system === "android" || session.system === "ios" ? IconDeviceMobile : IconDeviceDesktop;
  const started = instantShort(session.startedAt);
  const acted = instantShort(session.lastActAt);
  return (
    <li className="rp-session">
      <Icon size={24} stroke={1.5} aria-hidden />
      <div className="rp-stack rp-stack--tight">
        <p>
          <strong>{device}</strong> {session.current ? <StatusMark tone="booked">{t`cette session`}</StatusMark> : null}
        </p>
        <p className="rp-small rp-muted">{t`Ouverte le ${started}, dernière activité le ${acted}.`}</p>
        {session.current ? <p className="rp-small rp-muted">{t`Pour y mettre fin : « Se déconnecter ».`}</p> : null}
      </div>
      {session.current ? null : (
        <Button
          variant="default"
          onClick={onEnd}
          aria-label={t`Mettre fin à la session ${device}, ouverte le ${started}`}
        >
          {t`Mettre fin…`}
        </Button>
      )}
    </li>
  );
}

function EndDialog({ session, onClose }: { session: OwnSession | undefined; onClose: () => void }) {
  const client = useQueryClient();
  const shown = useRef(session);
  if (session) shown.current = session; // the dialog keeps its words while it closes
  const device = shown.current ? deviceName(shown.current) : "";
  const started = shown.current ? instantShort(shown.current.startedAt) : "";
  const end = useAct((id: string) => endOwnSession(id), {
    onSuccess: () => {
      toast(t`Session terminée : ${device}.`);
      onClose();
    },
    // Also where it was over already: the list is what stands.
    onSettled: () => client.invalidateQueries({ queryKey: keys.ownSessions }),
  });
  const close = () => {
    end.reset();
    onClose();
  };
  return (
    <ConfirmDialog
      opened={session !== undefined}
      title={t`Mettre fin à cette session ?`}
      confirm={t`Mettre fin`}
      busy={end.isPending}
      error={end.error}
      onConfirm={() => session && end.mutate(session.id)}
      onClose={close}
    >
      <p>{t`${device}, ouverte le ${started} : il faudra s'y reconnecter. Ce qui y est écrit sans être envoyé y reste.`}</p>
    </ConfirmDialog>
  );
}
