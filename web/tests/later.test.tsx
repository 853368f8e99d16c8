import { render, screen } from "@testing-library/react";
import { lazy } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { Later } from "../src/components/Later.tsx";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

test("code that does not come leaves the page as it is, without what it would have drawn", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const caught = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const fetched = vi.fn(() => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));
  const Missing = lazy<() => null>(fetched);
  render(
    <>
      <input aria-label="typed" defaultValue="kept" />
      <Later>
        <Missing />
      </Later>
    </>,
  );
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
  expect(fetched).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2000);
  await vi.waitFor(() => expect(caught).toHaveBeenCalledOnce());
  expect(fetched).toHaveBeenCalledOnce();
  expect(screen.getByLabelText<HTMLInputElement>("typed").value).toBe("kept");
});
