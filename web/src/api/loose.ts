/** Routes of the contract that the generated types do not tell yet. */
import { rest } from "./client.ts";

interface Options {
  params?: { header?: Record<string, string>; path?: Record<string, string>; query?: Record<string, unknown> };
  body?: unknown;
  headers?: Record<string, string>;
  bodySerializer?: (body: never) => unknown;
  signal?: AbortSignal;
}
interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}
type Call = (path: string, options?: Options) => Promise<Answer>;

export const loose = rest as unknown as { GET: Call; POST: Call; PUT: Call; DELETE: Call };
