/** Passkeys: what the gateway asks of an authenticator, and its signed answer. The browser's own JSON forms (WebAuthn level 3). */
import { ask, renewed, rest } from "../contract/client.ts";
import { Problem } from "../contract/problem.ts";

/** Why no answer came from the authenticator: this browser has none, or the person closed its window. */
export class NoPasskey extends Error {
  readonly why: "unsupported" | "closed";

  constructor(why: "unsupported" | "closed") {
    super(why);
    this.name = "NoPasskey";
    this.why = why;
  }
}

type CreationJSON = PublicKeyCredentialCreationOptionsJSON;
type RequestJSON = PublicKeyCredentialRequestOptionsJSON;
/** RegistrationResponseJSON and AuthenticationResponseJSON, of which no more is sent. */
interface Answered<Fields extends string> {
  id: string;
  rawId: string;
  response: Record<Fields, string>;
}

function supported(): void {
  if (typeof globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON !== "function") {
    throw new NoPasskey("unsupported");
  }
}

/** What a person does with their authenticator; they may close it, or it may be of no use. */
async function answered(asked: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  let found: Credential | null;
  try {
    found = await asked();
  } catch (error) {
    if (error instanceof DOMException) throw new NoPasskey("closed");
    throw error;
  }
  if (!(found instanceof PublicKeyCredential)) throw new NoPasskey("closed");
  return found;
}

async function created(publicKey: unknown) {
  supported();
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey as CreationJSON);
  const { id, rawId, response } = (
    await answered(() => navigator.credentials.create({ publicKey: options }))
  ).toJSON() as Answered<"clientDataJSON" | "attestationObject">;
  const { clientDataJSON, attestationObject } = response;
  return { id, rawId, type: "public-key" as const, response: { clientDataJSON, attestationObject } };
}

async function signed(publicKey: unknown) {
  supported();
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey as RequestJSON);
  const { id, rawId, response } = (
    await answered(() => navigator.credentials.get({ publicKey: options }))
  ).toJSON() as Answered<"clientDataJSON" | "authenticatorData" | "signature"> & { response: { userHandle?: string } };
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  return {
    id,
    rawId,
    type: "public-key" as const,
    response: { clientDataJSON, authenticatorData, signature, ...(userHandle ? { userHandle } : {}) },
  };
}

/** Opens a session for the person whose passkey answers; the browser's cookie is then theirs. */
export async function signInWithPasskey(): Promise<void> {
  const { publicKey } = await ask(() => rest.POST("/auth/passkey/begin"), true);
  const credential = await signed(publicKey);
  await ask(() => rest.POST("/auth/passkey/finish", { body: { credential } }), true);
}

/** Proves anew who is there: a new session of the same person, whose token this page then has. */
export async function proveByPasskey(): Promise<void> {
  await signInWithPasskey();
  await renewed();
}

/** Whom an invitation's word is for; its passkey is made by `accept`. */
export const invitation = (token: string) => ask(() => rest.POST("/auth/invitation/begin", { body: { token } }), true);

/** Makes the passkey that the invitation asked for, and opens the first session. */
export async function accept(token: string): Promise<void> {
  // Asked anew: the challenge of the page's first look lasts five minutes, and a person reads.
  const { publicKey } = await invitation(token);
  const credential = await created(publicKey);
  await ask(() => rest.POST("/auth/invitation/finish", { body: { token, credential } }), true);
}

export interface FirstAdministrator {
  readonly code: string;
  readonly displayName: string;
  readonly email: string;
  readonly locale: "fr" | "en";
}

/** Makes who has the operator's code the platform's first administrator, with a passkey, and opens their first session. */
export async function becomeFirstAdministrator(who: FirstAdministrator): Promise<void> {
  const { publicKey } = await ask(() => rest.POST("/auth/first-administrator/begin", { body: who }), true);
  const credential = await created(publicKey);
  await ask(() => rest.POST("/auth/first-administrator/finish", { body: { ...who, credential } }), true);
}

/** Whether an act asked for a fresh proof of who is there. */
export function wantsProof(error: unknown): boolean {
  return error instanceof Problem && error.code === "STEP_UP_NEEDED";
}
