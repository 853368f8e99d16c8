/** The centres of the search, nearest first, each with its star: favourites are RdvPermis' own and are changed there too. */
import { t } from "@lingui/core/macro";
import { ActionIcon, Button, Checkbox } from "@mantine/core";
import { IconStar, IconStarFilled } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { keys } from "../../../api/contract/cache.ts";
import type { Centre } from "../../../api/contract/types.ts";
import { favouritesQuery, setFavouriteCentres } from "../../../api/searches.ts";
import { centresQuery } from "../../../api/slots.ts";
import { ProblemNotice } from "../../../components/Notice.tsx";
import { useAct } from "../../../live/act.ts";
import { toast } from "../../../live/toast.ts";
import { isTrusted } from "../../../live/trusted-event.ts";
import { distanceText } from "../../../rules/search/distance.ts";
import type { Filters, SlotSearch } from "../../../rules/search/filters.ts";

/** The contract's most favourites of a licence group. */
const MOST = 20;

export function CentreChoice({
  filters,
  onChange,
}: {
  filters: Filters;
  onChange: (next: Partial<SlotSearch>) => void;
}) {
  const client = useQueryClient();
  const centres = useQuery({
    ...centresQuery(filters.department, filters.category),
    enabled: filters.department !== "",
  });
  const known = useQuery(favouritesQuery);
  const mine = (known.data?.items ?? []).filter((one) => one.category === filters.category);
  const starred = new Set(mine.map((one) => one.centreId));
  const save = useAct(
    ({ ids }: { ids: string[]; message: string }) =>
      setFavouriteCentres(
        filters.category,
        ids.map((centreId, index) => ({ centreId, priority: Math.min(index, 2) })),
      ),
    {
      onSuccess: (answer, { message }) => {
        client.setQueryData(favouritesQuery.queryKey, (before) => ({
          ...answer,
          items: [
            ...(before?.items ?? []).filter((one) => one.category !== filters.category),
            ...answer.items.filter((one) => one.category === filters.category),
          ],
        }));
        toast(message);
      },
      onSettled: () => client.invalidateQueries({ queryKey: keys.favourites }),
    },
  );
  const all = (centres.data?.items ?? []).filter(
    ({ distanceKm }) => !filters.withinKm || distanceKm === null || distanceKm <= filters.withinKm,
  );
  if (all.length === 0) return null;
  /** None named in the address means all: so the last one cannot be taken away, it brings all back. */
  const without = (id: string): string | undefined => {
    const before = filters.centres.length === 0 ? all.map((centre) => centre.id) : filters.centres;
    const after = before.includes(id) ? before.filter((one) => one !== id) : [...before, id];
    return after.length === 0 || after.length === all.length ? undefined : after.join(",");
  };
  const star = (centre: Centre) => {
    if (save.isPending) return;
    const before = mine.map((one) => one.centreId);
    const on = starred.has(centre.id);
    save.mutate({
      ids: on ? before.filter((id) => id !== centre.id) : [...before, centre.id].slice(0, MOST),
      message: on ? t`${centre.name} n'est plus favori.` : t`${centre.name} est favori, ici et chez RdvPermis.`,
    });
  };
  const here = all.filter((centre) => starred.has(centre.id)).map((centre) => centre.id);
  return (
    <fieldset className="rp-filters__wide rp-centres">
      <legend>{t`Centres`}</legend>
      {all.map((centre) => {
        const on = starred.has(centre.id);
        return (
          <span key={centre.id} className="rp-centre">
            <Checkbox
              label={
                <>
                  {centre.name} <span className="rp-small rp-muted">{distanceText(centre)}</span>
                </>
              }
              checked={filters.centres.length === 0 || filters.centres.includes(centre.id)}
              onChange={() => onChange({ centres: without(centre.id) })}
            />
            <ActionIcon
              variant="subtle"
              size="lg"
              aria-label={t`Favori : ${centre.name}`}
              aria-pressed={on}
              aria-disabled={save.isPending || undefined}
              onClick={(event) => {
                if (isTrusted(event)) star(centre);
              }}
            >
              {on ? <IconStarFilled size={18} aria-hidden /> : <IconStar size={18} aria-hidden />}
            </ActionIcon>
          </span>
        );
      })}
      {here.length > 0 && here.length < all.length ? (
        <Button variant="subtle" size="compact-sm" onClick={() => onChange({ centres: here.join(",") })}>
          {t`Mes favoris seulement`}
        </Button>
      ) : null}
      {filters.centres.length > 0 ? (
        <Button variant="subtle" size="compact-sm" onClick={() => onChange({ centres: undefined })}>
          {t`Tous les centres`}
        </Button>
      ) : null}
      {save.error ? <ProblemNotice error={save.error} /> : null}
    </fieldset>
  );
}
