import { useNow } from "./now.ts";

/** Whole seconds since an instant by the server's clock; 0 where the instant is not known. */
export function useSecondsSince(instant: string | null | undefined): number {
  const now = useNow();
  return instant ? Math.max(0, Math.floor((now - Date.parse(instant)) / 1000)) : 0;
}
