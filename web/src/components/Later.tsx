/** What nobody sees at first: drawn, and its code fetched, once the page has had time for what is seen; at once where `now` asks for it. */
import { Component, type ReactNode, Suspense, useEffect, useState } from "react";

const PATIENCE = 2000;

interface Boundary {
  asked: boolean;
  children: ReactNode;
}

/**
 * Where the code did not come, nothing is drawn: the page around it stays as it is, with what was typed in it. Asked for by a person,
 * it comes with the product loaded anew, as after an update.
 */
class OrNothing extends Component<Boundary, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidUpdate() {
    if (this.state.failed && this.props.asked && navigator.onLine) window.location.reload();
  }

  override render() {
    return this.state.failed ? null : this.props.children;
  }
}

export function Later({ now = false, children }: { now?: boolean; children: ReactNode }) {
  const [due, setDue] = useState(now);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), PATIENCE);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (now) setDue(true);
  }, [now]);
  return due ? (
    <OrNothing asked={now}>
      <Suspense>{children}</Suspense>
    </OrNothing>
  ) : null;
}
