import { describe, expect, test } from "vitest";
import type { Parameter } from "../../api/contract/types.ts";
import { parameterValue, replacedBy } from "./parameters.ts";

describe("parameters of the rules [R-24]", () => {
  const parameter = (over: Partial<Parameter>): Parameter => ({
    name: "threshold_rate",
    value: "4.5",
    department: null,
    category: null,
    validFrom: null,
    state: "in_force",
    ...over,
  });

  test("a value has its unit", () => {
    const shown = (name: string, value: string) => parameterValue({ name, value }).replace(/[\u00a0\u202f]/g, " ");
    expect(shown("threshold_rate", "4.5")).toBe("4,5");
    expect(shown("hold_ttl_seconds", "900")).toBe("15 minutes");
    expect(shown("territory_hours", "48")).toBe("48 heures");
    expect(shown("publication_minutes", "900")).toBe("15:00");
    expect(shown("warn_percent", "80")).toBe("80 %");
    expect(shown("group", "4")).toBe("4");
  });

  test("a coming value takes the place of the nearest one in force", () => {
    const everywhere = parameter({});
    const here = parameter({ department: "94" });
    expect(replacedBy(parameter({ department: "94", category: "B" }), [everywhere, here])).toBe(here);
    expect(replacedBy(parameter({ department: "75" }), [everywhere, here])).toBe(everywhere);
    expect(replacedBy(parameter({ name: "basket" }), [everywhere])).toBeUndefined();
  });
});
