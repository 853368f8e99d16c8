/** People who are not RdvPermis employees, as the platform's administrators keep them. */
import { infiniteQueryOptions } from "@tanstack/react-query";
import { keys } from "../contract/cache.ts";
import { act, ask, ours, rest } from "../contract/client.ts";
import type * as api from "../contract/types.ts";
import { proveByPasskey, wantsProof } from "./passkey.ts";

export const peopleQuery = infiniteQueryOptions({
  queryKey: keys.people,
  queryFn: ({ pageParam }) =>
    ask(() => rest.GET("/api/v1/people", { params: { query: pageParam ? { cursor: pageParam } : {} } })),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.nextCursor ?? undefined,
});

/** Does what may ask for a fresh proof: then the person's passkey is asked, and the act is sent again, under its own key. */
async function proved<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (!wantsProof(error)) throw error;
    await proveByPasskey();
    return question();
  }
}

export const invitePerson = (body: api.PersonInvitation, key: string) =>
  proved(() => ask(() => rest.POST("/api/v1/people", { body, params: { header: act(key) } })));

const of = (id: string) => ({ params: { header: ours(), path: { person_id: id } } });

export const invitePersonAgain = (id: string) =>
  proved(() => ask(() => rest.POST("/api/v1/people/{person_id}/invitation", of(id))));

export const suspendPerson = (id: string) =>
  proved(() => ask(() => rest.POST("/api/v1/people/{person_id}/suspension", of(id))));

export const resumePerson = (id: string) =>
  proved(() => ask(() => rest.DELETE("/api/v1/people/{person_id}/suspension", of(id))));

export const endPerson = (id: string) => proved(() => ask(() => rest.DELETE("/api/v1/people/{person_id}", of(id))));
