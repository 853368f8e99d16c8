/** How old the data of RdvPermis are, beside them; over 60 s amber and in words (rule 8). */
import { t } from "@lingui/core/macro";
import { duration } from "../time/format.ts";
import { useNow } from "../time/now.ts";

/** Seconds. */
export const OLD = 60;

export function Age({ seenAt }: { seenAt: string | null | undefined }) {
  const now = useNow();
  if (!seenAt) return <span className="rp-old">{t`pas encore vu chez RdvPermis`}</span>;
  const seconds = Math.max(0, Math.floor((now - Date.parse(seenAt)) / 1000));
  const ago = duration(seconds);
  if (seconds <= OLD) return <span>{t`vu chez RdvPermis il y a ${ago}`}</span>;
  return <span className="rp-old">{t`ancien : vu chez RdvPermis il y a ${ago}`}</span>;
}
