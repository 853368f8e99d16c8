/**
 * The server's time on this device's monotonic clock (rule 6: a wrong device clock never matters).
 *
 * Each sample bounds the offset `server − monotonic`: an answer that carried `server` between `sent` and `received` gives
 * [server − received, server − sent]; a tick of the stream, whose delay is unknown, gives a lower bound alone. The bounds
 * of a window are intersected; a contradiction (the device slept, the server stepped) starts over from the newest sample.
 * All numbers are milliseconds.
 */
const WINDOW = 5 * 60_000;

interface Bound {
  readonly low: number;
  readonly high: number;
  readonly at: number;
}

export class ServerClock {
  #bounds: Bound[] = [];
  readonly #monotonic: () => number;
  readonly #device: () => number;

  constructor(monotonic: () => number = () => performance.now(), device: () => number = () => Date.now()) {
    this.#monotonic = monotonic;
    this.#device = device;
  }

  /** An answer carried `server`; the question left at `sent` and came back at `received` (monotonic). */
  roundTrip(server: number, sent: number, received: number): void {
    this.#add({ low: server - received, high: server - sent, at: received });
  }

  /** The stream carried `server` just now. */
  tick(server: number): void {
    const at = this.#monotonic();
    this.#add({ low: server - at, high: Number.POSITIVE_INFINITY, at });
  }

  /** Milliseconds since the epoch by the server; the device's own clock until a first sample. */
  now(): number {
    const estimate = this.#estimate();
    return estimate === undefined ? this.#device() : this.#monotonic() + estimate;
  }

  get synced(): boolean {
    return this.#bounds.length > 0;
  }

  /** How far the device's clock is ahead of the server's (negative: behind); 0 until known. */
  deviceError(): number {
    return this.synced ? this.#device() - this.now() : 0;
  }

  #add(bound: Bound): void {
    this.#bounds = [...this.#bounds.filter((old) => bound.at - old.at < WINDOW), bound];
    const { low, high } = this.#intersection();
    if (low > high) this.#bounds = [bound];
  }

  #intersection(): { low: number; high: number } {
    return {
      low: Math.max(...this.#bounds.map((bound) => bound.low)),
      high: Math.min(...this.#bounds.map((bound) => bound.high)),
    };
  }

  #estimate(): number | undefined {
    if (!this.synced) return undefined;
    const { low, high } = this.#intersection();
    return high === Number.POSITIVE_INFINITY ? low : (low + high) / 2;
  }
}

export const serverClock = new ServerClock();
