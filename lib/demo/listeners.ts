/** Who wants to hear of something, and a way to wait until it has come to a certain point. */
export class Listeners<T> {
  readonly #all = new Set<(news: T) => void>();

  /** Calls `listener` with all news until the signal aborts. */
  add(listener: (news: T) => void, options: { signal: AbortSignal }): void {
    if (options.signal.aborted) return;
    this.#all.add(listener);
    options.signal.addEventListener("abort", () => this.#all.delete(listener), { once: true });
  }

  /** Tells all that listen. */
  tell(news: T): void {
    for (const listener of [...this.#all]) listener(news);
  }

  /** Resolves as soon as `condition` holds; rejects with the signal's reason when it aborts before. */
  until(condition: () => boolean, options: { signal?: AbortSignal } = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (condition()) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settled = new AbortController();
    this.add(() => {
      try {
        if (condition()) resolve();
      } catch (error) {
        reject(error);
      }
    }, { signal: settled.signal });
    options.signal?.addEventListener("abort", () => reject(options.signal?.reason), {
      once: true,
      signal: settled.signal,
    });
    return promise.finally(() => settled.abort());
  }
}
