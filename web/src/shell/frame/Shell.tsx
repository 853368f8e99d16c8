/** The frame of every page: header with the basket's countdown, rail or bottom bar, banners, the one polite region. */

import { plural, t } from "@lingui/core/macro";
import { UnstyledButton } from "@mantine/core";
import {
  IconBasket,
  IconBell,
  IconBook2,
  IconCalendarSearch,
  IconChecklist,
  IconDots,
  IconGauge,
  IconHome,
  IconKeyboard,
  IconLogout2,
  IconSteeringWheel,
  IconUserCircle,
  IconUsers,
} from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { type ComponentType, lazy, useEffect, useState } from "react";
import type { SchoolSession } from "../../api/contract/types.ts";
import { unreadQuery } from "../../api/notices.ts";
import { Later } from "../../components/Later.tsx";
import { announced } from "../../live/announce.ts";
import { forgetOthers } from "../../live/draft.ts";
import { startFeed } from "../../live/feed.ts";
import { useStore } from "../../live/store.ts";
import { Brand } from "../brand/Brand.tsx";
import { LanguageSwitch } from "../brand/LanguageSwitch.tsx";
import { useKeys } from "../keys/shortcuts.ts";
import { Banners, useStale } from "./Banners.tsx";
import { BasketDeadline } from "./BasketDeadline.tsx";
import { useKeptFocus } from "./kept-focus.ts";
import { useSignOut } from "./leave.ts";
import { Toasts } from "./Toasts.tsx";

const Dialog = lazy(() => import("../../components/Dialog.tsx").then((code) => ({ default: code.Dialog })));
const KeysHelp = lazy(() => import("../keys/KeysHelp.tsx").then((code) => ({ default: code.KeysHelp })));
const SessionWarning = lazy(() =>
  import("../session/SessionWarning.tsx").then((code) => ({ default: code.SessionWarning })),
);

interface Place {
  to: "/" | "/creneaux" | "/panier" | "/reservations" | "/candidats" | "/equipe" | "/seuils";
  label: string;
  icon: ComponentType<{ size?: number; stroke?: number; "aria-hidden"?: boolean }>;
}

function places(): Place[] {
  return [
    { to: "/", label: t`Accueil`, icon: IconHome },
    { to: "/creneaux", label: t`Créneaux`, icon: IconCalendarSearch },
    { to: "/panier", label: t`Panier`, icon: IconBasket },
    { to: "/reservations", label: t`Réservations`, icon: IconChecklist },
    { to: "/candidats", label: t`Candidats`, icon: IconUsers },
    { to: "/seuils", label: t`Seuils`, icon: IconGauge },
    { to: "/equipe", label: t`Équipe`, icon: IconSteeringWheel },
  ];
}

/** Beside the seven of the rail (web.md §2): read now and then, from the header and from behind "Plus". */
function JournalLink({ className, size }: { className: string; size: number }) {
  return (
    <Link to="/journal" className={className}>
      <IconBook2 size={size} aria-hidden />
      {t`Journal`}
    </Link>
  );
}

function AccountLink({ className, size }: { className: string; size: number }) {
  return (
    <Link to="/compte" className={className}>
      <IconUserCircle size={size} aria-hidden />
      {t`Mon compte`}
    </Link>
  );
}

function useUnread(): number {
  const { data } = useQuery(unreadQuery);
  return data ?? 0;
}

function MessagesLink({ className }: { className: string }) {
  const unread = useUnread();
  return (
    <Link to="/messages" className={className}>
      <IconBell size={20} aria-hidden />
      <span>{t`Messages`}</span>
      {unread > 0 ? (
        <span className="rp-count">
          <span aria-hidden>{unread}</span>
          <span className="rp-visually-hidden"> {plural(unread, { one: "# non lu", other: "# non lus" })}</span>
        </span>
      ) : null}
    </Link>
  );
}

export function Shell({ session }: { session: SchoolSession }) {
  const client = useQueryClient();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const [more, setMore] = useState(false);
  const [help, setHelp] = useState(false);
  const stale = useStale();
  const leave = useSignOut();
  const announcement = useStore(announced);
  // A new session's token: the stream of the one before is over.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => startFeed(client), [client, session.csrfToken]);
  useEffect(() => forgetOthers(session.user.id), [session.user.id]);
  useKeys(() => setHelp(true));
  useKeptFocus();
  // A page was reached: the sheet that led there closes. The path is what is watched.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => setMore(false), [path]);
  const all = places();
  return (
    <>
      <a className="rp-skip" href="#contenu">{t`Aller au contenu`}</a>
      <header className="rp-header">
        <Link to="/" className="rp-brand">
          <Brand />
        </Link>
        <span className="rp-header__school">{session.school.name}</span>
        <div className="rp-header__tools">
          <BasketDeadline />
          <span className="rp-wide rp-row">
            <MessagesLink className="rp-tool" />
            <JournalLink className="rp-tool" size={20} />
            <UnstyledButton className="rp-tool" onClick={() => setHelp(true)}>
              <IconKeyboard size={20} aria-hidden />
              {t`Raccourcis`}
            </UnstyledButton>
            <LanguageSwitch />
            <AccountLink className="rp-tool" size={20} />
            <UnstyledButton className="rp-tool" onClick={leave}>
              <IconLogout2 size={20} aria-hidden />
              {t`Se déconnecter`}
            </UnstyledButton>
          </span>
        </div>
      </header>
      <Banners />
      <div className="rp-frame">
        <nav className="rp-rail" aria-label={t`Pages`}>
          {all.map(({ to, label, icon: Icon }) => (
            <Link key={to} to={to} activeOptions={{ exact: to === "/", includeSearch: false }}>
              <Icon size={22} stroke={1.75} aria-hidden />
              {label}
            </Link>
          ))}
        </nav>
        <main id="contenu" className={stale ? "rp-main rp-main--stale" : "rp-main"}>
          <Outlet />
          <footer className="rp-footer">{t`Service privé, distinct de RdvPermis.`}</footer>
        </main>
      </div>
      <nav className="rp-bottom" aria-label={t`Pages`}>
        {all.slice(0, 4).map(({ to, label, icon: Icon }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === "/", includeSearch: false }}>
            <Icon size={22} stroke={1.75} aria-hidden />
            {label}
          </Link>
        ))}
        <UnstyledButton onClick={() => setMore(true)} aria-haspopup="dialog">
          <IconDots size={22} stroke={1.75} aria-hidden />
          {t`Plus`}
        </UnstyledButton>
      </nav>
      <Later now={more || help}>
        <Dialog
          opened={more}
          onClose={() => setMore(false)}
          title={session.school.name}
          closeButtonProps={{ "aria-label": t`Fermer` }}
        >
          <nav className="rp-sheet" aria-label={t`Autres pages`}>
            {all.slice(4).map(({ to, label, icon: Icon }) => (
              <Link key={to} to={to}>
                <Icon size={22} stroke={1.75} aria-hidden />
                {label}
              </Link>
            ))}
            <MessagesLink className="" />
            <JournalLink className="" size={22} />
            <LanguageSwitch className="" />
            <AccountLink className="" size={22} />
            <UnstyledButton onClick={leave}>
              <IconLogout2 size={22} aria-hidden />
              {t`Se déconnecter`}
            </UnstyledButton>
          </nav>
        </Dialog>
        <KeysHelp opened={help} onClose={() => setHelp(false)} />
        <SessionWarning session={session} />
      </Later>
      <div className="rp-visually-hidden" role="status" aria-live="polite">
        {announcement}
      </div>
      <Toasts />
    </>
  );
}
