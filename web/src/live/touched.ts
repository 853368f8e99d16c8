/** Which cached answers an event of the live stream makes old. */
import { keys } from "../api/contract/cache.ts";
import type { FeedEvent } from "./sse.ts";

/** What an event makes old. Unknown kinds refresh the inbox: a new kind is better late than lost. */
export function touched(event: FeedEvent): readonly (readonly string[])[] {
  const kind = `${event.event} ${kindOf(event.data)}`;
  const hit: (readonly string[])[] = [keys.notices];
  if (/basket|line|hold|booking|exam/.test(kind)) hit.push(keys.basket, keys.slots, keys.thresholds);
  if (/booking|exam|result/.test(kind)) hit.push(keys.bookings, keys.audit, keys.standings);
  if (/mandate|candidate/.test(kind)) hit.push(keys.candidates);
  if (/slot|threshold|rule|search/.test(kind)) hit.push(keys.slots, keys.thresholds);
  if (/rule/.test(kind)) hit.push(keys.parameters);
  if (/search/.test(kind)) hit.push(keys.searches);
  if (/authorisation/.test(kind)) hit.push(keys.school);
  if (/grant/.test(kind)) hit.push(keys.grants);
  return hit;
}

function kindOf(data: string): string {
  const found = /"(?:kind|topic)"\s*:\s*"([^"]*)"/.exec(data);
  return found?.[1] ?? "";
}
