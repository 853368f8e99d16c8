/** What needs me, the basket, the next opening. */
import { i18n } from "@lingui/core";
import { plural, t } from "@lingui/core/macro";
import { IconMoon } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useMemo, useState } from "react";
import { backgroundWorkQuery, ownGrantQuery } from "../../api/account.ts";
import { basketQuery } from "../../api/basket.ts";
import { bookingsQuery } from "../../api/bookings.ts";
import type { BackgroundTask } from "../../api/contract/types.ts";
import { unreadQuery } from "../../api/notices.ts";
import { useSession } from "../../api/session.ts";
import { slotsQuery } from "../../api/slots.ts";
import { parametersQuery } from "../../api/thresholds.ts";
import { Ages } from "../../components/Ages.tsx";
import { Countdown } from "../../components/Countdown.tsx";
import { CandidateLink } from "../../components/candidates/CandidateLink.tsx";
import { Loaded, Loading } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { LineStatus } from "../../components/StatusMark.tsx";
import { departmentName } from "../../rules/departments.ts";
import { nextDeadline } from "../../rules/lines.ts";
import { comingOpenings, nextOpenings, nextPublication, type Opening } from "../../rules/opening/opening.ts";
import { agesInView } from "../../rules/search/in-view.ts";
import { addDays, todayInParis } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";
import { secondsLeft } from "../../time/countdown.ts";
import { duration, examShort, parisMoment } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";
import "./home.css";

export function Home() {
  const session = useSession();
  return (
    <div className="rp-stack">
      <PageTitle>{t`Accueil`}</PageTitle>
      <p className="rp-muted">{t`Bonjour ${session.user.displayName}.`}</p>
      <div className="rp-cards">
        <NeedsMe />
        <BasketCard />
        <OpeningCard />
        <NextExams />
      </div>
      <Unattended />
    </div>
  );
}

/** What waits while nobody is signed in, for those who may change that. */
function Unattended() {
  const { data: school } = useQuery(backgroundWorkQuery);
  const { data: own } = useQuery(ownGrantQuery);
  const waiting = (school?.waits ?? []).map(taskText);
  if (!own?.mayGive || waiting.length === 0) return null;
  const what = new Intl.ListFormat(i18n.locale).format(waiting);
  return (
    <p className="rp-muted rp-unattended">
      <IconMoon size={20} stroke={1.75} aria-hidden />
      <span>
        {t`Tant que personne de votre école n'est connecté, ceci reste en attente : ${what}.`}{" "}
        <Link to="/compte">{t`Autoriser le travail en arrière-plan`}</Link>
      </span>
    </p>
  );
}

function taskText(task: BackgroundTask): string {
  switch (task) {
    case "reconciliation":
      return t`la comparaison avec RdvPermis`;
    case "results":
      return t`les résultats`;
    case "polls":
      return t`les recherches gardées`;
    case "mandates":
      return t`les réponses aux mandats`;
  }
}

function NeedsMe() {
  const basket = useQuery(basketQuery);
  const waiting = useInfiniteQuery(bookingsQuery("to_confirm"));
  const messages = useQuery(unreadQuery);
  const unnamed =
    basket.data?.groups.flatMap((group) => group.lines).filter((line) => line.state === "held" && !line.candidate)
      .length ?? 0;
  const toConfirm = waiting.data?.pages.flatMap((page) => page.items).length ?? 0;
  const unread = messages.data ?? 0;
  const unknown = basket.isPending || waiting.isPending || messages.isPending;
  const nothing = !unknown && unnamed === 0 && toConfirm === 0 && unread === 0;
  return (
    <section className="rp-card" aria-label={t`À faire`}>
      <h2>{t`À faire`}</h2>
      {nothing ? <p className="rp-muted">{t`Rien ne vous attend.`}</p> : null}
      {unknown ? <Loading rows={1} height={24} /> : null}
      <ul className="rp-plain-list">
        {unnamed > 0 ? (
          <li>
            <Link to="/panier">
              {plural(unnamed, {
                one: "Nommer le candidat de # créneau retenu",
                other: "Nommer les candidats de # créneaux retenus",
              })}
            </Link>
          </li>
        ) : null}
        {toConfirm > 0 ? (
          <li>
            <Link to="/reservations" search={{ onglet: "a-confirmer" }}>
              {plural(toConfirm, {
                one: "# réservation en cours de confirmation",
                other: "# réservations en cours de confirmation",
              })}
            </Link>
          </li>
        ) : null}
        {unread > 0 ? (
          <li>
            <Link to="/messages">{plural(unread, { one: "# message non lu", other: "# messages non lus" })}</Link>
          </li>
        ) : null}
      </ul>
    </section>
  );
}

function BasketCard() {
  const query = useQuery(basketQuery);
  return (
    <section className="rp-card" aria-label={t`Panier`}>
      <h2>{t`Panier`}</h2>
      <Loaded query={query} rows={1} height={24}>
        {(basket) => {
          const next = nextDeadline(basket);
          if (!next) {
            return (
              <p>
                <span className="rp-muted">{t`Vide.`}</span> <Link to="/creneaux">{t`Chercher des créneaux`}</Link>
              </p>
            );
          }
          return (
            <>
              <p>
                {plural(next.held, { one: "# créneau retenu", other: "# créneaux retenus" })},{" "}
                <Countdown until={next.expiresAt} />
              </p>
              <p>
                <Link to="/panier">{t`Nommer et valider`}</Link>
              </p>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function OpeningCard() {
  const session = useSession();
  const [start] = useState(() => todayInParis(serverClock.now()));
  const question = useMemo(
    () => ({ department: session.school.department, category: "B", from: start, to: addDays(start, 13), centres: [] }),
    [session.school.department, start],
  );
  const query = useInfiniteQuery(slotsQuery(question));
  const now = useNow();
  const rules = useQuery(parametersQuery);
  const publication = nextPublication(rules.data?.items ?? [], session.school.department, "B", now);
  const place = departmentName(session.school.department);
  return (
    <section className="rp-card" aria-label={t`Prochaines ouvertures`}>
      <h2>{t`Prochaines ouvertures`}</h2>
      <p className="rp-muted">{t`Permis B, ${place}`}</p>
      <Loaded query={query} rows={3} height={40}>
        {(data) => {
          const slots = data.pages.flatMap((page) => page.items);
          const coming = comingOpenings(slots, now, session.school.department);
          const open = slots.filter((slot) => slot.allowed).length;
          return (
            <>
              <ul className="rp-plain-list">
                {nextOpenings(coming, publication, 3).map((opening) => (
                  <ComingOpening key={opening.id} opening={opening} now={now}>
                    {opening.count === undefined
                      ? t`mise en ligne de RdvPermis`
                      : plural(opening.count, { one: "# créneau", other: "# créneaux" })}
                  </ComingOpening>
                ))}
              </ul>
              {coming.length === 0 && !publication ? (
                <p>{t`Aucune ouverture annoncée dans ces deux semaines.`}</p>
              ) : null}
              <p>
                <Link to="/creneaux">
                  {plural(open, {
                    0: "Voir les créneaux",
                    one: "# créneau vous est ouvert maintenant",
                    other: "# créneaux vous sont ouverts maintenant",
                  })}
                </Link>
              </p>
              <p className="rp-row rp-small rp-muted">
                <Ages ages={agesInView(question, slots, data.pages[0]?.days ?? [])} />
              </p>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function ComingOpening({ opening, now, children }: { opening: Opening; now: number; children: ReactNode }) {
  const when = parisMoment(opening.at);
  return (
    <li>
      <strong>{when}</strong>, {t`dans ${duration(secondsLeft(Date.parse(opening.at), now))}`}
      {" : "}
      {children}.{" "}
      <Link to="/ouvertures/$id" params={{ id: opening.id }} aria-label={t`Préparer ${when}`}>
        {t`Préparer`}
      </Link>
    </li>
  );
}

function NextExams() {
  const query = useInfiniteQuery(bookingsQuery("upcoming"));
  return (
    <section className="rp-card" aria-label={t`Prochains examens`}>
      <h2>{t`Prochains examens`}</h2>
      <Loaded query={query} rows={1} height={24}>
        {(data) => {
          const next = [...data.pages.flatMap((page) => page.items)]
            .sort((a, b) => a.slot.startsAt.localeCompare(b.slot.startsAt))
            .slice(0, 5);
          if (next.length === 0) return <p className="rp-muted">{t`Aucune réservation à venir.`}</p>;
          return (
            <ul className="rp-plain-list">
              {next.map((booking) => (
                <li key={booking.id} className="rp-row">
                  <LineStatus state={booking.state} />
                  <span>
                    {examShort(booking.slot.startsAt)} {booking.slot.centre.name},{" "}
                    <CandidateLink candidate={booking.candidate} />
                  </span>
                </li>
              ))}
            </ul>
          );
        }}
      </Loaded>
    </section>
  );
}
