/** The calendar as a table: a column a day, a row an hour (as many rows as slots share it), one slot a cell. */
import type { Slot } from "../../../api/contract/types.ts";
import { addDays, dayOf, hour, minuteOfDay, mondayOf } from "../../../time/calendar.ts";

export interface WeekRow {
  readonly key: string;
  /** "08:32"; shown on the first row of its hour. */
  readonly hour: string;
  readonly first: boolean;
  /** One place a day, in the order of the days. */
  readonly cells: readonly (Slot | undefined)[];
}

/** Days of one view: a week with its weekend only where something stands on it, or a single day on a narrow screen. */
export function daysOfView(slots: readonly Slot[], anchor: string, narrow: boolean): string[] {
  if (narrow) return [anchor];
  const monday = mondayOf(anchor);
  const used = new Set(slots.map((slot) => dayOf(slot.startsAt)));
  return Array.from({ length: 7 }, (_, index) => addDays(monday, index)).filter(
    (day, index) => index < 5 || used.has(day),
  );
}

export function weekRows(slots: readonly Slot[], days: readonly string[]): WeekRow[] {
  const column = new Map(days.map((day, index) => [day, index]));
  const shown = slots.filter((slot) => column.has(dayOf(slot.startsAt)));
  const byHour = Map.groupBy(shown, (slot) => hour(slot.startsAt));
  const hours = [...byHour.keys()].sort();
  return hours.flatMap((at) => {
    const perDay = days.map((day) =>
      (byHour.get(at) ?? [])
        .filter((slot) => dayOf(slot.startsAt) === day)
        .sort((a, b) => a.centre.name.localeCompare(b.centre.name) || a.id.localeCompare(b.id)),
    );
    const depth = Math.max(...perDay.map((list) => list.length));
    return Array.from({ length: depth }, (_, index) => ({
      key: `${at}/${index}`,
      hour: at,
      first: index === 0,
      cells: perDay.map((list) => list[index]),
    }));
  });
}

/** In the order of their hours, then of their centres. */
export function inOrder(slots: readonly Slot[]): Slot[] {
  return [...slots].sort(
    (a, b) =>
      a.startsAt.localeCompare(b.startsAt) || a.centre.name.localeCompare(b.centre.name) || a.id.localeCompare(b.id),
  );
}

export function withinHours(slot: Slot, fromHour: number, toHour: number): boolean {
  const minute = minuteOfDay(slot.startsAt);
  return minute >= fromHour * 60 && minute < toHour * 60;
}

/** Monday 1 … Sunday 7; none: all. */
export function onWeekdays(slot: Slot, weekdays: readonly number[]): boolean {
  return weekdays.length === 0 || weekdays.includes(new Date(`${dayOf(slot.startsAt)}T00:00Z`).getUTCDay() || 7);
}
