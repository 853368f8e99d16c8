/** Where the keys lead inside the calendar (rule 13). Pure: a table of cells, a place, a key. */
import type { WeekRow } from "./week.ts";

export interface Place {
  readonly row: number;
  readonly column: number;
}

/** The place a key leads to; the same place at an edge; undefined when the key is not one of the grid's. */
export function afterKey(rows: readonly WeekRow[], from: Place, key: string, ctrl: boolean): Place | undefined {
  switch (key) {
    case "ArrowLeft":
      return seek(rows, from, 0, -1) ?? from;
    case "ArrowRight":
      return seek(rows, from, 0, 1) ?? from;
    case "ArrowUp":
      return seek(rows, from, -1, 0) ?? from;
    case "ArrowDown":
      return seek(rows, from, 1, 0) ?? from;
    case "Home":
      return edge(rows, from.row, ctrl, 1) ?? from;
    case "End":
      return edge(rows, from.row, ctrl, -1) ?? from;
    default:
      return undefined;
  }
}

/** The next cell that holds a slot, in one direction; undefined at the edge. */
function seek(rows: readonly WeekRow[], from: Place, down: number, right: number): Place | undefined {
  let r = from.row + down;
  let c = from.column + right;
  while (rows[r] && c >= 0 && c < (rows[r]?.cells.length ?? 0)) {
    if (rows[r]?.cells[c]) return { row: r, column: c };
    r += down;
    c += right;
  }
  return undefined;
}

/** First (1) or last (-1) slot of the row, or with Ctrl of the table. */
function edge(rows: readonly WeekRow[], row: number, whole: boolean, direction: 1 | -1): Place | undefined {
  const r = whole ? (direction > 0 ? 0 : rows.length - 1) : row;
  const cells = rows[r]?.cells ?? [];
  const column = direction > 0 ? cells.findIndex(Boolean) : cells.findLastIndex(Boolean);
  return column < 0 ? undefined : { row: r, column };
}

/** Where focus stands when its cell is gone: the first slot of that row, else of the table. */
export function nearest(rows: readonly WeekRow[], wanted: Place): Place {
  if (rows[wanted.row]?.cells[wanted.column]) return wanted;
  return edge(rows, Math.min(wanted.row, rows.length - 1), false, 1) ?? { row: 0, column: 0 };
}
