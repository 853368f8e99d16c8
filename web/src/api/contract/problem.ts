/** RFC 9457 problem bodies, and the failures that have none: no network, and an answer that is not ours. */
import type { Reason } from "./types.ts";

export class Problem extends Error implements Reason {
  readonly status: number;
  readonly code: string;
  readonly detail: string | null;
  readonly verdicts: NonNullable<Reason["verdicts"]>;
  readonly violations: readonly { field: string; description: string }[];
  readonly retryAt: string | null;
  readonly rdvpermisCode: string | null;
  readonly errorId: string | null;
  /** Where to go on: whose NEPH it is (NEPH_KNOWN), which mandate (CANDIDATE_MANDATED). */
  readonly objectId: string | null;

  constructor(status: number, body: Partial<Problem>) {
    super(body.code ?? `HTTP ${status}`);
    this.name = "Problem";
    this.status = status;
    this.code = codeOf(
      body.code ?? (status === 401 ? "UNAUTHENTICATED" : status >= 500 ? "UNAVAILABLE" : "UNEXPECTED"),
    );
    this.detail = body.detail ?? null;
    this.verdicts = body.verdicts ?? [];
    this.violations = body.violations ?? [];
    this.retryAt = body.retryAt ?? null;
    this.rdvpermisCode = body.rdvpermisCode ?? null;
    this.errorId = body.errorId ?? null;
    this.objectId = body.objectId ?? null;
  }

  /** The request never left, or its answer never came: its effect is not known. */
  get lost(): boolean {
    return this.code === "NETWORK";
  }
}

/** One spelling: "CODE_SLOT_TAKEN", "slot-taken" and "SLOT_TAKEN" are the same code. */
export function codeOf(code: string): string {
  return code
    .toUpperCase()
    .replace(/-/g, "_")
    .replace(/^CODE_/, "");
}

export function networkProblem(): Problem {
  return new Problem(0, { code: "NETWORK" });
}
