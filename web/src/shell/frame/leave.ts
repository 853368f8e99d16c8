import { useQueryClient } from "@tanstack/react-query";
import { signOut } from "../../api/session.ts";
import { useAct } from "../../live/act.ts";
import { leaveEverywhere } from "../../live/feed.ts";

/** Choices and wishes live until one signs out by hand; a session that merely ended keeps them. */
export function useSignOut(): () => void {
  const client = useQueryClient();
  const { mutate } = useAct(() => {
    sessionStorage.clear();
    return signOut()
      .finally(leaveEverywhere)
      .then(
        (answer) => {
          client.clear();
          window.location.assign(answer?.redirect ?? "/");
        },
        () => window.location.assign("/"),
      );
  });
  return () => mutate();
}
