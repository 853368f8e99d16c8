/**
 * Few files instead of many small ones: on a phone each costs round trips. What every visitor loads is one file, the frame of
 * signed-in people's pages another; parts that several pages share are a few files, by when they are needed.
 */
import type { Rolldown } from "vite";

export const SHELL = "src/shell/frame/Shell.tsx";

const FIELDS =
  /@mantine\/(hooks|core\/esm\/(components\/(Input|InputBase|NativeSelect|TextInput|Checkbox|ActionIcon|FloatingIndicator|SegmentedControl|ScrollArea\/utils)|utils))\//;

type Context = { getModuleInfo(id: string): { importedIds: readonly string[] } | null };

/** A module of ours and all of ours that it imports statically, at any depth. */
export function importedBy(id: string, context: Context, found = new Set<string>()): Set<string> {
  if (found.has(id) || id.includes("/node_modules/")) return found;
  found.add(id);
  for (const next of context.getModuleInfo(id)?.importedIds ?? []) importedBy(next, context, found);
  return found;
}

export function codeSplitting(root: string): Rolldown.CodeSplittingOptions {
  // What is an entry of its own stays a file of its own: the page and others load it by its name.
  const main = `${root}/src/main.tsx`;
  const seenFirst = [SHELL, "src/pages/home/Home.tsx", "src/pages/slots/Slots.tsx"].map(
    (module) => `${root}/${module}`,
  );
  let frame: Set<string> | undefined;
  return {
    groups: [
      { name: "first", tags: ["$initial"], test: (id) => id !== main, priority: 5 },
      {
        debugName: "frame",
        name: (id, context) => {
          frame ??= seenFirst.reduce((found, module) => importedBy(module, context, found), new Set<string>());
          return frame.has(id) ? "frame" : null;
        },
        minShareCount: 2,
        priority: 4,
      },
      { name: "frame", test: /node_modules\/@(tanstack|tabler)\//, minShareCount: 2, priority: 3 },
      // What forms are made of, before dialogs and lists that open: those come with floating-ui and more.
      { name: "fields", test: FIELDS, minShareCount: 2, priority: 2 },
      { name: "dialogs", test: /node_modules/, minShareCount: 2, priority: 1 },
      { name: "parts", minShareCount: 3 },
    ],
  };
}
