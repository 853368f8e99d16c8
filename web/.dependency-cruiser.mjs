/** Folders of the source are rooms: each stands on a floor and imports only what lies below it. Read by `npm run check`. */

/** From the ground up. Rooms of one floor do not import each other; each page is a room of its own. */
const FLOORS = [
  ["time", "audit", "locales"],
  ["api/contract"],
  ["api"],
  ["live", "rules"],
  ["components"],
  ["pages", "shell"],
];

const below = (rooms) => `^src/(?:${rooms.join("|")})/`;

const floors = FLOORS.flatMap((floor, level) => {
  const forbidden = FLOORS.slice(level).flat();
  return floor.map((room) => ({
    name: `${room.replace("/", "-")}-imports-only-from-below`,
    severity: "error",
    from: { path: below([room]) },
    to: { path: below(forbidden), pathNot: below([room]) },
  }));
});

export default {
  forbidden: [
    ...floors,
    {
      name: "pages-do-not-import-each-other",
      severity: "error",
      from: { path: "^src/pages/([^/]+)/" },
      to: { path: "^src/pages/", pathNot: "^src/pages/$1/" },
    },
    {
      name: "no-import-of-what-assembles-the-rooms",
      comment: "main.tsx, routes.tsx and theme.ts stand above every floor.",
      severity: "error",
      from: { path: "^src/[^/]+/" },
      to: { path: "^src/[^/]+$" },
    },
    {
      name: "every-folder-is-on-a-floor",
      severity: "error",
      from: {},
      to: { path: "^src/[^/]+/", pathNot: below([...FLOORS.flat(), "styles"]) },
    },
    { name: "no-circle-of-modules", severity: "error", from: {}, to: { circular: true } },
    { name: "no-circle-of-folders", severity: "error", scope: "folder", from: {}, to: { circular: true } },
  ],
  options: {
    includeOnly: "^src/",
    tsConfig: { fileName: "tsconfig.json" },
    // Imports of types only count as well.
    tsPreCompilationDeps: true,
  },
};
