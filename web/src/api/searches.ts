/** What a person keeps of her searches: saved searches, favourite centres. */
import { queryOptions } from "@tanstack/react-query";
import { keys } from "./contract/cache.ts";
import { act, ask, ours, rest } from "./contract/client.ts";
import type * as api from "./contract/types.ts";

export const favouriteCentres = () => ask(() => rest.GET("/api/v1/favourite-centres")) as Promise<api.FavouritePage>;

/** The whole list of a licence group; RdvPermis' own is changed with it. The answer is that group's. */
export const setFavouriteCentres = (category: string, favourites: { centreId: string; priority: number }[]) =>
  ask(() =>
    rest.PUT("/api/v1/favourite-centres", { params: { header: ours() }, body: { category, favourites } }),
  ) as Promise<api.FavouritePage>;

export const savedSearches = () =>
  ask(() => rest.GET("/api/v1/saved-searches")) as Promise<{ items: api.SavedSearch[] }>;

export const saveSearch = (body: { label: string; search: api.SavedQuestion; alert: boolean }, key: string) =>
  ask(() => rest.POST("/api/v1/saved-searches", { params: { header: act(key) }, body })) as Promise<api.SavedSearch>;

export const deleteSavedSearch = (id: string) =>
  ask(() => rest.DELETE("/api/v1/saved-searches/{search_id}", { params: { header: ours(), path: { search_id: id } } }));

export const favouritesQuery = queryOptions({
  queryKey: keys.favourites,
  queryFn: favouriteCentres,
  staleTime: 5 * 60_000,
});

export const searchesQuery = queryOptions({ queryKey: keys.searches, queryFn: savedSearches });
