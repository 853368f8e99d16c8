/** An expected failure that holds for one reason only: `test.fails` also takes a broken precondition for the fault. */

/**
 * `right` says what is right and fails today, in this way alone: any other failure, and none, fails the test.
 * Once the fault is mended, only what `right` did is left.
 */
export async function failsWith(today: RegExp, right: () => unknown): Promise<void> {
  let failure: unknown;
  try {
    await right();
  } catch (error) {
    failure = error;
  }
  if (failure === undefined) throw new Error("The fault is mended: take failsWith away and keep what it held.");
  if (!today.test(String(failure))) throw failure;
}
