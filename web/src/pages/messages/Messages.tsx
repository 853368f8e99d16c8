/** The inbox: each consequence, newest first. Only the read mark runs ahead of the answer: it is ours. */

import { i18n } from "@lingui/core";
import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconCircleX, IconInfoCircle } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Notice } from "../../api/contract/types.ts";
import { noticesQuery } from "../../api/notices.ts";
import { CandidateLink } from "../../components/candidates/CandidateLink.tsx";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { instantShort } from "../../time/format.ts";
import { useMarkRead } from "./read-marks.ts";
import "./messages.css";

const ICONS = { info: IconInfoCircle, success: IconCircleCheck, warning: IconAlertTriangle, danger: IconCircleX };

export function Messages() {
  const query = useInfiniteQuery(noticesQuery);
  const mark = useMarkRead();
  return (
    <div className="rp-stack">
      <PageTitle>{t`Messages`}</PageTitle>
      <Loaded query={query} rows={5} height={64}>
        {(data) => {
          const notices = data.pages.flatMap((page) => page.items);
          const waiting = notices.filter((notice) => !notice.readAt);
          if (notices.length === 0) {
            return (
              <Empty title={t`Aucun message`}>
                {t`Réservations, annulations, mandats, seuils : ce qui arrive à votre école se lit ici.`}
              </Empty>
            );
          }
          return (
            <>
              {waiting.length > 1 ? (
                <div>
                  <Button variant="default" onClick={() => waiting.map((notice) => mark.mutate(notice.id))}>
                    {t`Tout marquer comme lu`}
                  </Button>
                </div>
              ) : null}
              <ul className="rp-inbox">
                {notices.map((notice) => (
                  <Row key={notice.id} notice={notice} onRead={() => mark.mutate(notice.id)} />
                ))}
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

/** Where a notice leads. */
export function placeOf(
  kind: string,
): "/panier" | "/reservations" | "/candidats" | "/seuils" | "/creneaux" | "/equipe" | "/compte" | undefined {
  if (/^booking|^exam|^result/.test(kind)) return "/reservations";
  if (/^basket|^hold|^line/.test(kind)) return "/panier";
  if (/^mandate|^candidate/.test(kind)) return "/candidats";
  if (/^threshold|^rule/.test(kind)) return "/seuils";
  if (/^slot|^search/.test(kind)) return "/creneaux";
  if (/^authorisation/.test(kind)) return "/equipe";
  if (/^grant/.test(kind)) return "/compte";
  return undefined;
}

function Row({ notice, onRead }: { notice: Notice; onRead: () => void }) {
  const Icon = ICONS[notice.level];
  const place = placeOf(notice.kind);
  const text = i18n.locale === "en" ? notice.text.en : notice.text.fr;
  return (
    <li className={notice.readAt ? "rp-message" : "rp-message rp-message--unread"}>
      <span className={`rp-message__icon rp-message__icon--${notice.level}`}>
        <Icon size={22} aria-hidden />
      </span>
      <div className="rp-stack rp-stack--tight">
        <p>
          {notice.readAt ? null : <span className="rp-visually-hidden">{t`Non lu :`} </span>}
          {text}
        </p>
        <p className="rp-small rp-muted rp-row">
          {notice.occurredAt ? <time dateTime={notice.occurredAt}>{instantShort(notice.occurredAt)}</time> : null}
          {notice.candidate ? <CandidateLink candidate={notice.candidate} /> : null}
          {place === "/candidats" && notice.candidate ? (
            <Link to="/candidats/$id" params={{ id: notice.candidate.id }} onClick={() => notice.readAt || onRead()}>
              {t`Voir la fiche`}
            </Link>
          ) : place ? (
            <Link to={place} onClick={() => notice.readAt || onRead()}>
              {t`Voir`}
            </Link>
          ) : null}
        </p>
      </div>
      {notice.readAt ? null : (
        <Button variant="subtle" onClick={onRead} aria-label={t`Marquer comme lu : ${text}`}>
          {t`Marquer comme lu`}
        </Button>
      )}
    </li>
  );
}
