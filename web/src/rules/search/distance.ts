import { t } from "@lingui/core/macro";

/** "à 12 km, 25 min de route"; empty where it is not known. */
export function distanceText(place: { distanceKm?: number | null; travelMinutes?: number | null }): string {
  if (place.distanceKm == null) return "";
  const km = Math.round(place.distanceKm);
  return place.travelMinutes == null ? t`à ${km} km` : t`à ${km} km, ${place.travelMinutes} min de route`;
}
