/** Ctrl+Enter does the main action of what is on top: a dialog's before the page's. */
const stack: (() => void)[] = [];

export function registerMain(act: () => void): () => void {
  stack.push(act);
  return () => {
    stack.splice(stack.indexOf(act), 1);
  };
}

export function mainAction(): (() => void) | undefined {
  return stack.at(-1);
}
