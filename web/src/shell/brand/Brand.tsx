/** Our own mark: a plain check in a violet square. Nothing of the State's look (web.md §6). */
export function Brand() {
  return (
    <>
      <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="var(--rp-brand)" />
        <path
          d="M9 17l5 5 9-12"
          fill="none"
          stroke="var(--rp-on-brand)"
          strokeWidth="3.5"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
      <span>ResaPermis</span>
    </>
  );
}
