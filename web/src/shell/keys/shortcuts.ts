/** Page keys (rule 13): `/` search, `?` help, `g` then c p r m; Ctrl+Enter the main action. Single keys can be turned off (2.1.4). */
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { mainAction } from "../../live/main-action.ts";
import { store } from "../../live/store.ts";

const STORED = "resapermis.keys";

export const singleKeys = store(localStorage.getItem(STORED) !== "off");

export function setSingleKeys(on: boolean): void {
  localStorage.setItem(STORED, on ? "on" : "off");
  singleKeys.set(on);
}

const GO = { c: "/creneaux", p: "/panier", r: "/reservations", m: "/messages" } as const;

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.closest("input, textarea, select, [contenteditable], [role=dialog]") !== null
  );
}

export function useKeys(showHelp: () => void): void {
  const navigate = useNavigate();
  // Kept over renders: the page draws itself again between two keys.
  const afterG = useRef(0);
  const help = useRef(showHelp);
  help.current = showHelp;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.repeat) return;
      if (event.key === "Enter" && event.ctrlKey) {
        if (event.isTrusted) mainAction()?.();
        return;
      }
      if (!singleKeys.get() || event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
      if (event.timeStamp - afterG.current < 1500 && event.key in GO) {
        afterG.current = 0;
        event.preventDefault();
        void navigate({ to: GO[event.key as keyof typeof GO] });
      } else if (event.key === "g") {
        afterG.current = event.timeStamp;
      } else if (event.key === "?") {
        event.preventDefault();
        help.current();
      } else if (event.key === "/") {
        const field = document.querySelector<HTMLElement>("[data-search]");
        if (!field) return;
        event.preventDefault();
        field.focus();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate]);
}
