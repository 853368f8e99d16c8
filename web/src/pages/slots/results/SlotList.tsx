/** The list has all that the calendar has, in reading order; only what is near the screen is drawn. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Slot } from "../../../api/contract/types.ts";
import { StatusMark } from "../../../components/StatusMark.tsx";
import { isTrusted } from "../../../live/trusted-event.ts";
import { distanceText } from "../../../rules/search/distance.ts";
import { dayOf, hour } from "../../../time/calendar.ts";
import { dayLong } from "../../../time/format.ts";
import type { Marks } from "./marks.ts";
import { accessibleName, slotLabel } from "./slot-label.ts";

export function SlotList({
  slots,
  marks,
  onChoose,
  onOpen,
}: {
  slots: readonly Slot[];
  marks: Marks;
  onChoose: (slot: Slot) => void;
  onOpen: (slot: Slot) => void;
}) {
  const list = useRef<HTMLUListElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => setMargin(list.current?.offsetTop ?? 0), []);
  const firsts = useMemo(
    () =>
      new Set(
        slots
          .filter((slot, index) => dayOf(slot.startsAt) !== dayOf(slots[index - 1]?.startsAt ?? ""))
          .map((slot) => slot.id),
      ),
    [slots],
  );
  const virtual = useWindowVirtualizer({
    count: slots.length,
    estimateSize: (index) => (firsts.has(slots[index]?.id ?? "") ? 96 : 56),
    overscan: 6,
    scrollMargin: margin,
    getItemKey: (index) => slots[index]?.id ?? index,
  });
  return (
    <ul ref={list} className="rp-slots" style={{ height: virtual.getTotalSize() }} aria-label={t`Créneaux`}>
      {virtual.getVirtualItems().map((item) => {
        const slot = slots[item.index];
        if (!slot) return null;
        const chosen = marks.chosen.has(slot.id);
        const face = slotLabel(slot, { chosen, asked: marks.asked.has(slot.id) });
        const name = accessibleName(slot, face);
        return (
          <li
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            aria-setsize={slots.length}
            aria-posinset={item.index + 1}
            className="rp-slots__item"
            style={{ transform: `translateY(${item.start - margin}px)` }}
          >
            {firsts.has(slot.id) ? <h2 className="rp-slots__day">{dayLong(dayOf(slot.startsAt))}</h2> : null}
            <div className="rp-slots__row">
              <span className="rp-slots__hour">{hour(slot.startsAt)}</span>
              <span className="rp-slots__centre">
                {slot.centre.name} <span className="rp-small rp-muted">{distanceText(slot)}</span>
              </span>
              {face.choosable ? (
                <Button
                  variant={chosen ? "light" : "default"}
                  aria-pressed={chosen}
                  aria-label={name}
                  data-slot={slot.id}
                  leftSection={chosen ? <IconCheck size={16} aria-hidden /> : null}
                  onClick={(event) => {
                    if (isTrusted(event)) onChoose(slot);
                  }}
                >
                  {chosen ? t`Choisi` : t`Choisir`}
                </Button>
              ) : (
                <span className="rp-row rp-row--end">
                  <StatusMark tone={face.tone}>{face.word}</StatusMark>
                  <Button variant="subtle" aria-label={t`Pourquoi ? ${name}`} onClick={() => onOpen(slot)}>
                    {t`Pourquoi ?`}
                  </Button>
                </span>
              )}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
