/**
 * The calendar: an ARIA grid on a real table, one tab stop, arrows inside. Rows are virtual: `aria-rowcount` has them all, the
 * focused row stays in the page. On a narrow screen the grid shows one day.
 */

import { t } from "@lingui/core/macro";
import { ActionIcon } from "@mantine/core";
import { IconChevronLeft, IconChevronRight } from "@tabler/icons-react";
import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { PolledDay, Slot } from "../../../api/contract/types.ts";
import { OLD } from "../../../components/Age.tsx";
import { StatusMark } from "../../../components/StatusMark.tsx";
import { isTrusted } from "../../../live/trusted-event.ts";
import type { DaysInView } from "../../../rules/search/in-view.ts";
import { addDays, dayOf, mondayOf } from "../../../time/calendar.ts";
import { dayLong, dayShort, duration } from "../../../time/format.ts";
import { useNow } from "../../../time/now.ts";
import { afterKey, nearest, type Place } from "./grid-keys.ts";
import type { Marks } from "./marks.ts";
import { accessibleName, slotLabel } from "./slot-label.ts";
import { daysOfView, type WeekRow, weekRows } from "./week.ts";

const ROW = 52;

export function SlotGrid({
  slots,
  narrow,
  from,
  to,
  read,
  marks,
  onView,
  onChoose,
  onOpen,
}: {
  slots: readonly Slot[];
  narrow: boolean;
  from: string;
  to: string;
  /** How old each day is. */
  read: readonly PolledDay[];
  marks: Marks;
  /** Which days are before the reader now, within those that are asked for. */
  onView: (view: DaysInView) => void;
  onChoose: (slot: Slot) => void;
  onOpen: (slot: Slot) => void;
}) {
  const firstDay = slots[0] ? dayOf(slots[0].startsAt) : from;
  const [anchor, setAnchor] = useState(firstDay);
  const shownAnchor = anchor < from || anchor > to ? firstDay : anchor;
  const days = useMemo(() => daysOfView(slots, shownAnchor, narrow), [slots, shownAnchor, narrow]);
  const rows = useMemo(() => weekRows(slots, days), [slots, days]);
  const first = days[0] ?? from;
  const last = days.at(-1) ?? to;
  useEffect(
    () => onView({ from: first < from ? from : first, to: last > to ? to : last }),
    [onView, first, last, from, to],
  );
  const [focus, setFocus] = useState<Place>({ row: 0, column: 0 });
  const wantsFocus = useRef(false);
  const box = useRef<HTMLDivElement>(null);
  const place = nearest(rows, focus);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 2,
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range);
      return indexes.includes(place.row) || place.row >= rows.length
        ? indexes
        : [...indexes, place.row].sort((a, b) => a - b);
    },
  });

  useEffect(() => {
    if (!wantsFocus.current) return;
    wantsFocus.current = false;
    virtual.scrollToIndex(place.row);
    const cell = `[data-place="${place.row}/${place.column}"]`;
    const take = () => box.current?.querySelector<HTMLElement>(cell)?.focus();
    take();
    // The row may only exist after the scroll has been drawn.
    requestAnimationFrame(take);
  }, [place.row, place.column, virtual]);

  const step = narrow ? 1 : 7;
  const start = narrow ? shownAnchor : mondayOf(shownAnchor);
  const before = addDays(start, -1) >= from;
  const after = addDays(start, step) <= to;
  const turn = (direction: 1 | -1) => {
    if (direction < 0 ? !before : !after) return;
    const next = addDays(start, direction * step);
    setAnchor(next < from ? from : next);
  };
  const move = (row: number, column: number) => {
    wantsFocus.current = true;
    setFocus({ row, column });
  };

  const onKey = (event: KeyboardEvent) => {
    const next = afterKey(rows, place, event.key, event.ctrlKey);
    if (next) {
      event.preventDefault();
      move(next.row, next.column);
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      wantsFocus.current = true;
      turn(event.key === "PageUp" ? -1 : 1);
      setFocus({ row: 0, column: 0 });
    } else if (event.key === "Enter" && !event.ctrlKey) {
      const slot = rows[place.row]?.cells[place.column];
      event.preventDefault();
      if (slot && !event.repeat) onOpen(slot);
    }
  };

  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const title = narrow
    ? dayLong(shownAnchor)
    : t`Semaine du ${dayLong(days[0] ?? start)} au ${dayLong(days.at(-1) ?? start)}`;

  return (
    <section className="rp-stack rp-stack--tight" aria-label={t`Calendrier`}>
      <div className="rp-row">
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={narrow ? t`Jour précédent` : t`Semaine précédente`}
          aria-disabled={!before || undefined}
          data-disabled={!before || undefined}
          onClick={() => turn(-1)}
        >
          <IconChevronLeft size={20} aria-hidden />
        </ActionIcon>
        <h2 id="rp-grid-title">{title}</h2>
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={narrow ? t`Jour suivant` : t`Semaine suivante`}
          aria-disabled={!after || undefined}
          data-disabled={!after || undefined}
          onClick={() => turn(1)}
        >
          <IconChevronRight size={20} aria-hidden />
        </ActionIcon>
      </div>
      {rows.length === 0 ? (
        <p className="rp-muted">{narrow ? t`Aucun créneau ce jour.` : t`Aucun créneau cette semaine.`}</p>
      ) : null}
      <div ref={box} className="rp-grid-box" hidden={rows.length === 0}>
        <table
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: web.md §5, an ARIA grid on a real table
          role="grid"
          aria-labelledby="rp-grid-title"
          aria-rowcount={rows.length + 1}
          aria-colcount={days.length + 1}
          className="rp-grid"
          onKeyDown={onKey}
        >
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col" className="rp-grid__hour">
                {t`Heure`}
              </th>
              {days.map((day) => (
                <th key={day} scope="col" abbr={dayLong(day)}>
                  {dayShort(day)}
                  <DayAge day={read.find(({ date }) => date === day)} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {above > 0 ? <Gap height={above} columns={days.length + 1} /> : null}
            {items.map((item, position) => {
              const row = rows[item.index];
              if (!row) return null;
              const previous = items[position - 1];
              const jump = previous ? item.start - previous.end : 0;
              return (
                <GridRow
                  key={row.key}
                  row={row}
                  index={item.index}
                  days={days}
                  place={place}
                  marks={marks}
                  gap={jump}
                  onChoose={onChoose}
                  onOpen={onOpen}
                  onFocus={(column) => setFocus({ row: item.index, column })}
                />
              );
            })}
            {below > 0 ? <Gap height={below} columns={days.length + 1} /> : null}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Each column has its own age: days are read apart. */
function DayAge({ day }: { day: PolledDay | undefined }) {
  const now = useNow();
  if (!day) return null;
  if (!day.seenAt) return <span className="rp-grid__age rp-old">{t`pas encore vu`}</span>;
  const seconds = Math.max(0, Math.floor((now - Date.parse(day.seenAt)) / 1000));
  const ago = duration(seconds);
  return <span className={seconds <= OLD ? "rp-grid__age" : "rp-grid__age rp-old"}>{t`vu il y a ${ago}`}</span>;
}

/** Stands for rows that are not drawn. */
function Gap({ height, columns }: { height: number; columns: number }) {
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: an empty row that only keeps the height takes no focus
    <tr aria-hidden="true">
      <td colSpan={columns} style={{ height, padding: 0, border: 0 }} />
    </tr>
  );
}

function GridRow({
  row,
  index,
  days,
  place,
  marks,
  gap,
  onChoose,
  onOpen,
  onFocus,
}: {
  row: WeekRow;
  index: number;
  days: readonly string[];
  place: Place;
  marks: Marks;
  gap: number;
  onChoose: (slot: Slot) => void;
  onOpen: (slot: Slot) => void;
  onFocus: (column: number) => void;
}) {
  return (
    <>
      {gap > 0 ? <Gap height={gap} columns={days.length + 1} /> : null}
      <tr aria-rowindex={index + 2} className={row.first ? "rp-grid__first" : undefined}>
        <th scope="row" className="rp-grid__hour">
          {row.first ? row.hour : <span className="rp-visually-hidden">{row.hour}</span>}
        </th>
        {row.cells.map((slot, column) => {
          const day = days[column] ?? "";
          const here = place.row === index && place.column === column;
          if (!slot) {
            return <td key={day} aria-colindex={column + 2} />;
          }
          const face = slotLabel(slot, { chosen: marks.chosen.has(slot.id), asked: marks.asked.has(slot.id) });
          return (
            <td key={day} aria-colindex={column + 2}>
              <button
                type="button"
                className={`rp-slot rp-slot--${face.choosable ? "open" : "shut"}`}
                data-place={`${index}/${column}`}
                data-slot={slot.id}
                tabIndex={here ? 0 : -1}
                aria-label={accessibleName(slot, face)}
                aria-pressed={face.choosable ? marks.chosen.has(slot.id) : undefined}
                onFocus={() => onFocus(column)}
                onClick={(event) => {
                  if (!isTrusted(event)) return;
                  if (face.choosable) onChoose(slot);
                  else onOpen(slot);
                }}
              >
                <span className="rp-slot__centre">{slot.centre.name}</span>{" "}
                {face.choosable && !marks.chosen.has(slot.id) ? (
                  <span className="rp-slot__act">{face.word}</span>
                ) : (
                  <StatusMark tone={face.tone}>{face.word}</StatusMark>
                )}
              </button>
            </td>
          );
        })}
      </tr>
    </>
  );
}
