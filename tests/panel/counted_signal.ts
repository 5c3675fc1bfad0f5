type Counted = { signal: AbortSignal; listeners(): number };

/** A signal, by default one that never aborts, and how many listeners it has. */
export function countedSignal({ signal } = new AbortController()): Counted {
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  return { signal, listeners: () => listeners };
}
