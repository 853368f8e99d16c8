/** The frame of who is not an RdvPermis employee: what they may do today, and no page of a school. */

import { t } from "@lingui/core/macro";
import { UnstyledButton } from "@mantine/core";
import { IconBook2, IconHome, IconLogout2, IconUserCircle, IconUsersGroup } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { type ComponentType, useEffect } from "react";
import type { Session } from "../../api/contract/types.ts";
import { announced } from "../../live/announce.ts";
import { forgetOthers } from "../../live/draft.ts";
import { startFeed } from "../../live/feed.ts";
import { useStore } from "../../live/store.ts";
import { roleName } from "../../rules/people.ts";
import { Brand } from "../brand/Brand.tsx";
import { LanguageSwitch } from "../brand/LanguageSwitch.tsx";
import { NotFound } from "../NotFound.tsx";
import { SessionWarning } from "../session/SessionWarning.tsx";
import { Banners, useStale } from "./Banners.tsx";
import { useSignOut } from "./leave.ts";
import { PersonHome } from "./PersonHome.tsx";
import { Toasts } from "./Toasts.tsx";

interface Place {
  to: "/" | "/admin" | "/journal" | "/compte";
  label: string;
  icon: ComponentType<{ size?: number; stroke?: number; "aria-hidden"?: boolean }>;
}

function places(roles: readonly string[]): Place[] {
  return [
    { to: "/", label: t`Accueil`, icon: IconHome },
    ...(roles.includes("platform_admin") ? [{ to: "/admin" as const, label: t`Personnes`, icon: IconUsersGroup }] : []),
    ...(roles.includes("security_officer") || roles.includes("auditor")
      ? [{ to: "/journal" as const, label: t`Journal`, icon: IconBook2 }]
      : []),
    { to: "/compte", label: t`Mon compte`, icon: IconUserCircle },
  ];
}

export function PersonFrame({ session }: { session: Session }) {
  const client = useQueryClient();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const stale = useStale();
  const leave = useSignOut();
  const announcement = useStore(announced);
  // A new session's token: the stream of the one before is over.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => startFeed(client), [client, session.csrfToken]);
  useEffect(() => forgetOthers(session.user.id), [session.user.id]);
  const all = places(session.roles);
  const known = all.some(({ to }) => to === path);
  return (
    <>
      <a className="rp-skip" href="#contenu">{t`Aller au contenu`}</a>
      <header className="rp-header">
        <Link to="/" className="rp-brand">
          <Brand />
        </Link>
        <span className="rp-header__school">{session.roles.map(roleName).join(", ")}</span>
        <div className="rp-header__tools">
          <LanguageSwitch />
          <span className="rp-wide rp-row">
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
          {path === "/" ? <PersonHome session={session} /> : known ? <Outlet /> : <NotFound />}
          <footer className="rp-footer">{t`Service privé, distinct de RdvPermis.`}</footer>
        </main>
      </div>
      <nav className="rp-bottom" aria-label={t`Pages`}>
        {all.map(({ to, label, icon: Icon }) => (
          <Link key={to} to={to} activeOptions={{ exact: to === "/", includeSearch: false }}>
            <Icon size={22} stroke={1.75} aria-hidden />
            {label}
          </Link>
        ))}
        <UnstyledButton className="rp-bottom__leave" onClick={leave}>
          <IconLogout2 size={22} stroke={1.75} aria-hidden />
          {t`Se déconnecter`}
        </UnstyledButton>
      </nav>
      <SessionWarning session={session} />
      <div className="rp-visually-hidden" role="status" aria-live="polite">
        {announcement}
      </div>
      <Toasts />
    </>
  );
}
