/** What is true of the whole page: offline, not up to date, a wrong device clock. */
import { t } from "@lingui/core/macro";
import { IconClockExclamation, IconPlugConnectedX, IconWifiOff } from "@tabler/icons-react";
import { STALE_AFTER, usePulse } from "../../live/feed.ts";
import { useOnline } from "../../live/online.ts";
import { serverClock } from "../../time/clock.ts";
import { clockSeconds, duration } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";

/** Milliseconds by which a device's clock may err before a banner shows it. */
const CLOCK_TOLERANCE = 60_000;

/** True when the stream has been silent for 25 s. */
export function useStale(): boolean {
  const pulse = usePulse();
  useNow();
  return performance.now() - pulse.at > STALE_AFTER;
}

export function Banners() {
  const pulse = usePulse();
  const online = useOnline();
  const stale = useStale();
  const error = serverClock.deviceError();
  const since = clockSeconds(pulse.server ?? serverClock.now() - (performance.now() - pulse.at));
  return (
    <>
      {online ? null : (
        <div className="rp-banner rp-banner--waiting" role="status">
          <IconWifiOff size={20} aria-hidden />
          {t`Hors ligne. Vous pouvez consulter ; rien n'est envoyé à RdvPermis.`}
        </div>
      )}
      {stale && online ? (
        <div className="rp-banner rp-banner--waiting" role="status">
          <IconPlugConnectedX size={20} aria-hidden />
          {t`Affichage non à jour depuis ${since}`}
        </div>
      ) : null}
      {Math.abs(error) > CLOCK_TOLERANCE ? (
        <div className="rp-banner rp-banner--waiting" role="status">
          <IconClockExclamation size={20} aria-hidden />
          {error > 0
            ? t`L'horloge de cet appareil avance de ${duration(Math.round(error / 1000))}. Les délais affichés sont justes.`
            : t`L'horloge de cet appareil retarde de ${duration(Math.round(-error / 1000))}. Les délais affichés sont justes.`}
        </div>
      ) : null}
    </>
  );
}
