/** A person as they are called: "Léa Martin". Never an initial: in French "M." before a name is "Monsieur". */
export function fullName({ firstName, lastName }: { firstName: string; lastName: string }): string {
  return `${firstName} ${lastName}`.trim();
}
