/** What the reader has done with slots on this page, by id. */
export interface Marks {
  readonly chosen: ReadonlySet<string>;
  readonly asked: ReadonlySet<string>;
}
