import { parseAddressAnswer } from "../parse/address_answer.ts";

/** What is used of `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** An address and the host that told it. */
export interface ToldAddress {
  address: string;
  host: string;
}

const AT_ONCE = 3;
const MAX_ANSWER_BYTES = 1024;

/**
 * Asks services for the caller's public address, three at a time, until one gives a good answer; the
 * others are given up then.
 *
 * `undefined` when none did. Never rejects: a service that fails is like one that knows nothing, and
 * when `signal` aborts nothing is known.
 */
export async function askServices(
  urls: readonly string[],
  family: 4 | 6,
  options: { fetch: Fetch; signal: AbortSignal },
): Promise<ToldAddress | undefined> {
  const found = new AbortController();
  const signal = AbortSignal.any([options.signal, found.signal]);
  const queue = urls.values();
  let told: ToldAddress | undefined;
  async function askInTurn(): Promise<void> {
    // All take from one queue, so that a slow service holds up no more than its own place.
    for (const url of queue) {
      if (signal.aborted) return;
      const text = await ask(url, { fetch: options.fetch, signal });
      const address = text === undefined ? undefined : parseAddressAnswer(text, family);
      if (address === undefined || told) continue;
      told = { address, host: new URL(url).host };
      found.abort();
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, askInTurn));
  return told;
}

async function ask(
  url: string,
  { fetch, signal }: { fetch: Fetch; signal: AbortSignal },
): Promise<string | undefined> {
  try {
    // A redirect leads to a login page, not to an answer.
    const headers = { accept: "text/plain" };
    const response = await fetch(url, { signal, redirect: "error", headers });
    if (response.ok) return await shortText(response);
    await response.body?.cancel();
  } catch {
    // Which of the many ways to fail it was changes nothing.
  }
  return undefined;
}

/** The whole body, unless it is longer than any address. */
async function shortText({ body }: Response): Promise<string | undefined> {
  if (body === null) return undefined;
  const decoder = new TextDecoder();
  let length = 0;
  let text = "";
  for await (const chunk of body) {
    length += chunk.length;
    // Leaving the loop cancels the body.
    if (length > MAX_ANSWER_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
