/** What is booked: upcoming, to confirm, past. Changes name their consequence first. */

import { t } from "@lingui/core/macro";
import { Button, Tabs } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import type { BookingFilter } from "../../api/bookings.ts";
import { bookingsQuery } from "../../api/bookings.ts";
import type { Booking, BookingPage, Replacements } from "../../api/contract/types.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { monthLong } from "../../time/format.ts";
import { BookingRow } from "./BookingRow.tsx";
import { type Change, ChangedRow, stillSaid, type Told, withChanges } from "./Changed.tsx";
import { Results } from "./Results.tsx";
import "./bookings.css";

const route = getRouteApi("/reservations");

export function Bookings() {
  const { onglet } = route.useSearch();
  const navigate = route.useNavigate();
  const tab = onglet ?? "a-venir";
  const waiting = useInfiniteQuery(bookingsQuery("to_confirm"));
  const count = waiting.data?.pages.flatMap((page) => page.items).length ?? 0;
  return (
    <div className="rp-stack">
      <PageTitle>{t`Réservations`}</PageTitle>
      <Tabs
        value={tab}
        onChange={(value) =>
          void navigate({
            search: value === "a-confirmer" || value === "passees" || value === "resultats" ? { onglet: value } : {},
          })
        }
      >
        <Tabs.List>
          <Tabs.Tab value="a-venir">{t`À venir`}</Tabs.Tab>
          <Tabs.Tab value="a-confirmer">
            {t`À confirmer`} {count > 0 ? <span className="rp-count">{count}</span> : null}
          </Tabs.Tab>
          <Tabs.Tab value="passees">{t`Passées`}</Tabs.Tab>
          <Tabs.Tab value="resultats">{t`Résultats`}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="a-venir">{tab === "a-venir" ? <Listing filter="upcoming" /> : null}</Tabs.Panel>
        <Tabs.Panel value="a-confirmer">{tab === "a-confirmer" ? <Listing filter="to_confirm" /> : null}</Tabs.Panel>
        <Tabs.Panel value="passees">{tab === "passees" ? <Listing filter="past" /> : null}</Tabs.Panel>
        <Tabs.Panel value="resultats">{tab === "resultats" ? <Results /> : null}</Tabs.Panel>
      </Tabs>
    </div>
  );
}

function emptyText(filter: BookingFilter): { title: string; text: string } {
  switch (filter) {
    case "upcoming":
      return {
        title: t`Aucune réservation à venir`,
        text: t`Retenez un créneau, nommez le candidat, validez : la réservation s'affichera ici.`,
      };
    case "to_confirm":
      return {
        title: t`Rien à confirmer`,
        text: t`Quand RdvPermis tarde à répondre, la réservation reste ici jusqu'à sa réponse.`,
      };
    case "past":
      return { title: t`Aucune réservation passée`, text: t`Les examens passés et les annulations restent ici.` };
  }
}

/** RdvPermis counts replacements by the exam's month and licence: of those that are listed, each once. */
function allowancesOf(pages: readonly BookingPage[]): Replacements[] {
  const known = pages.flatMap((page) => page.replacementsByMonth);
  return [...new Map(known.map((one) => [`${one.month}/${one.category}`, one])).values()];
}

function isFor({ month, category }: Replacements, { slot }: Booking): boolean {
  return slot.category === category && slot.startsAt.startsWith(month);
}

function allowanceText({ month, category, left, perMonth }: Replacements): string {
  return t`${monthLong(month)}, permis ${category}, reste ${left} sur ${perMonth}`;
}

function Listing({ filter }: { filter: BookingFilter }) {
  const query = useInfiniteQuery(bookingsQuery(filter));
  // Kept while the list is in view: a cancelled booking leaves it, what happened to it does not.
  const [changes, setChanges] = useState<readonly Told[]>([]);
  const changed = (change: Change) =>
    setChanges((before) => [
      ...before.filter((one) => one.before.id !== change.before.id),
      { ...change, listReadAt: query.dataUpdatedAt },
    ]);
  const empty = emptyText(filter);
  return (
    <div className="rp-stack rp-tab">
      <Loaded query={query} rows={5} height={56}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          const allowances = allowancesOf(data.pages);
          const said = stillSaid(changes, items, query.dataUpdatedAt);
          if (items.length === 0 && said.length === 0) {
            return (
              <Empty title={empty.title} action={<Link to="/creneaux">{t`Chercher des créneaux`}</Link>}>
                {empty.text}
              </Empty>
            );
          }
          return (
            <>
              {allowances.length > 0 ? (
                <p className="rp-muted">
                  {t`Remplacements :`} {allowances.map(allowanceText).join(" · ")}
                </p>
              ) : null}
              <ul className="rp-bookings">
                {withChanges(items, said).map((row) =>
                  "before" in row ? (
                    <ChangedRow key={`changed ${row.before.id}`} change={row} />
                  ) : (
                    <BookingRow
                      key={row.id}
                      booking={row}
                      editable={filter === "upcoming"}
                      allowance={allowances.find((one) => isFor(one, row))}
                      onChanged={changed}
                    />
                  ),
                )}
              </ul>
              {query.hasNextPage ? (
                <div>
                  <Button
                    variant="default"
                    aria-disabled={query.isFetchingNextPage || undefined}
                    onClick={() => void query.fetchNextPage({ cancelRefetch: false })}
                  >
                    {t`Afficher la suite`}
                  </Button>
                </div>
              ) : null}
            </>
          );
        }}
      </Loaded>
    </div>
  );
}
