/** The basket's nearest deadline, in the header of every page. */
import { plural, t } from "@lingui/core/macro";
import { IconClock } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { basketQuery } from "../../api/basket.ts";
import { keys } from "../../api/contract/cache.ts";
import { useAnnouncedMarks, useSecondsLeft } from "../../components/Countdown.tsx";
import { nextDeadline } from "../../rules/lines.ts";
import { duration } from "../../time/format.ts";

export function BasketDeadline() {
  const { data } = useQuery(basketQuery);
  const next = nextDeadline(data);
  return next ? <Running {...next} /> : null;
}

function Running({ expiresAt, held }: { expiresAt: string; held: number }) {
  const client = useQueryClient();
  const left = useSecondsLeft(expiresAt);
  useAnnouncedMarks(expiresAt, t`Le panier`);
  const over = left === 0;
  // The limit is over: what became of the lines is read from the server.
  useEffect(() => {
    if (over) client.invalidateQueries({ queryKey: keys.basket });
  }, [over, client]);
  const rest = duration(left);
  return (
    <Link to="/panier" className={`rp-tool rp-tool--deadline${left <= 300 ? " rp-tool--urgent" : ""}`}>
      <IconClock size={18} aria-hidden />
      <span className="rp-visually-hidden">
        {plural(held, { one: "Panier, # créneau retenu, reste", other: "Panier, # créneaux retenus, reste" })}{" "}
      </span>
      <span role="timer" aria-live="off">
        {rest}
      </span>
    </Link>
  );
}
