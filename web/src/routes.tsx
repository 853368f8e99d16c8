/** The addresses, in French as people read them. Pages load when visited; filters live in the address, names and NEPH never. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { sessionQuery } from "./api/session.ts";
import { readFilters, type SlotSearch } from "./rules/search/filters.ts";
import { ErrorPage } from "./shell/ErrorPage.tsx";
import { NotFound } from "./shell/NotFound.tsx";
import { Root } from "./shell/Root.tsx";

type Raw = Record<string, unknown>;

/** What `read` takes of an address and nothing else. The router lays its answer over the raw parameters, which would shine through. */
function only<T extends object>(read: (search: Raw) => T): (search: Raw) => T {
  return (search) => ({ ...Object.fromEntries(Object.keys(search).map((name) => [name, undefined])), ...read(search) });
}

const root = createRootRoute({ component: Root, notFoundComponent: NotFound, errorComponent: ErrorPage });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/home/Home.tsx"), "Home"),
});

const slots = createRoute({
  getParentRoute: () => root,
  path: "/creneaux",
  validateSearch: only<SlotSearch>(readFilters),
  component: lazyRouteComponent(() => import("./pages/slots/Slots.tsx"), "Slots"),
});

const opening = createRoute({
  getParentRoute: () => root,
  path: "/ouvertures/$id",
  component: lazyRouteComponent(() => import("./pages/openings/OpeningRoom.tsx"), "OpeningRoom"),
});

const basket = createRoute({
  getParentRoute: () => root,
  path: "/panier",
  component: lazyRouteComponent(() => import("./pages/basket/Basket.tsx"), "BasketPage"),
});

const bookings = createRoute({
  getParentRoute: () => root,
  path: "/reservations",
  validateSearch: only<{ onglet?: "a-confirmer" | "passees" | "resultats" }>(({ onglet }) =>
    onglet === "a-confirmer" || onglet === "passees" || onglet === "resultats" ? { onglet } : {},
  ),
  component: lazyRouteComponent(() => import("./pages/bookings/Bookings.tsx"), "Bookings"),
});

const team = createRoute({
  getParentRoute: () => root,
  path: "/equipe",
  validateSearch: only<{ onglet?: TeamTab }>(({ onglet }) => (isTeamTab(onglet) ? { onglet } : {})),
  component: lazyRouteComponent(() => import("./pages/team/Team.tsx"), "Team"),
});

const candidates = createRoute({
  getParentRoute: () => root,
  path: "/candidats",
  component: lazyRouteComponent(() => import("./pages/candidates/Candidates.tsx"), "Candidates"),
});

const candidate = createRoute({
  getParentRoute: () => root,
  path: "/candidats/$id",
  validateSearch: (search: Record<string, unknown>): { fiche?: "corriger" } =>
    search.fiche === "corriger" ? { fiche: search.fiche } : {},
  component: lazyRouteComponent(() => import("./pages/candidates/CandidatePage.tsx"), "CandidatePage"),
});

const thresholds = createRoute({
  getParentRoute: () => root,
  path: "/seuils",
  component: lazyRouteComponent(() => import("./pages/thresholds/Thresholds.tsx"), "Thresholds"),
});

const messages = createRoute({
  getParentRoute: () => root,
  path: "/messages",
  component: lazyRouteComponent(() => import("./pages/messages/Messages.tsx"), "Messages"),
});

const journal = createRoute({
  getParentRoute: () => root,
  path: "/journal",
  validateSearch: only<{ objet?: string; acte?: string; journal?: "securite" }>(({ objet, acte, journal }) => ({
    ...(typeof objet === "string" && /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/.test(objet) ? { objet } : {}),
    ...(typeof acte === "string" && /^[a-z_]{1,40}\.[a-z_]{1,40}$/.test(acte) ? { acte } : {}),
    ...(journal === "securite" ? { journal } : {}),
  })),
  component: lazyRouteComponent(() => import("./pages/journal/Journal.tsx"), "Journal"),
});

const account = createRoute({
  getParentRoute: () => root,
  path: "/compte",
  validateSearch: only<{ grant?: string }>(({ grant }) => (typeof grant === "string" && grant ? { grant } : {})),
  component: lazyRouteComponent(() => import("./pages/account/Account.tsx"), "Account"),
});

const admin = createRoute({
  getParentRoute: () => root,
  path: "/admin",
  component: lazyRouteComponent(() => import("./pages/admin/Admin.tsx"), "Admin"),
});

const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitation",
  component: lazyRouteComponent(() => import("./pages/entrance/Invitation.tsx"), "Invitation"),
});

const firstAdministrator = createRoute({
  getParentRoute: () => root,
  path: "/premier-administrateur",
  component: lazyRouteComponent(() => import("./pages/entrance/FirstAdministrator.tsx"), "FirstAdministrator"),
});

const TEAM_TABS = ["vehicules", "heures", "agrement", "disponibilites"] as const;
type TeamTab = (typeof TEAM_TABS)[number];
function isTeamTab(value: unknown): value is TeamTab {
  return (TEAM_TABS as readonly unknown[]).includes(value);
}

const tree = root.addChildren([
  home,
  slots,
  opening,
  basket,
  bookings,
  candidates,
  candidate,
  thresholds,
  team,
  messages,
  journal,
  account,
  admin,
  invitation,
  firstAdministrator,
]);

export function newRouter(client: QueryClient) {
  client.prefetchQuery(sessionQuery);
  return createRouter({
    routeTree: tree,
    defaultPreload: "intent",
    // Plain words in the address ("departement=94"), not JSON.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
      const entries = Object.entries(search).filter(([, value]) => value !== undefined && value !== "");
      const text = new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString();
      return text ? `?${text}` : "";
    },
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
