import { useQueryClient } from "@tanstack/react-query";
import { keys } from "../../api/contract/cache.ts";

/** A booking changed, or may have: what shows it is read again. */
export function useRefresh() {
  const client = useQueryClient();
  return () =>
    Promise.all([keys.bookings, keys.slots, keys.thresholds].map((queryKey) => client.invalidateQueries({ queryKey })));
}
