import { useQueryClient } from "@tanstack/react-query";
import { keys } from "../../api/contract/cache.ts";
import { markRead, noticesQuery } from "../../api/notices.ts";
import { useAct } from "../../live/act.ts";

/** Read marks are shown before the answer (rule 1): they are ours, and are undone if refused. */
export function useMarkRead() {
  const client = useQueryClient();
  return useAct((id: string) => markRead(id), {
    ahead: async (id) => {
      await client.cancelQueries({ queryKey: keys.notices });
      const before = client.getQueryData(noticesQuery.queryKey);
      client.setQueryData(noticesQuery.queryKey, (data) =>
        data
          ? {
              ...data,
              pages: data.pages.map((page) => ({
                ...page,
                unread: Math.max(0, page.unread - 1),
                items: page.items.map((notice) =>
                  notice.id === id ? { ...notice, readAt: notice.readAt ?? new Date().toISOString() } : notice,
                ),
              })),
            }
          : data,
      );
      return () => client.setQueryData(noticesQuery.queryKey, before);
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.notices }),
  });
}
