/** Where one process leaves word for another that has the folder. */
const NAME = "order.json";
/** Orders are a few words long. */
const MAX_BYTES = 4096;

/** Leaves an order for the process that has the folder. @throws {Error} When it can't be written. */
export async function leaveOrder(folder: string, order: string): Promise<void> {
  const path = `${folder}/${NAME}`;
  try {
    await Deno.writeTextFile(`${path}.new`, order, { mode: 0o600 });
    await Deno.rename(`${path}.new`, path);
  } catch (cause) {
    throw new Error(`Cannot write ${path}`, { cause });
  }
}

/** Whether an order lies there that nobody has taken. */
export function isOrderWaiting(folder: string): boolean {
  try {
    return Deno.statSync(`${folder}/${NAME}`).isFile;
  } catch {
    return false;
  }
}

/**
 * Takes the order that lies there; `undefined` when there is none. One that can't be taken away is
 * not taken, since it would be obeyed again and again.
 *
 * @throws {Error} When it can't be read or taken away.
 */
export async function takeOrder(folder: string): Promise<string | undefined> {
  const path = `${folder}/${NAME}`;
  if (!isOrderWaiting(folder)) return undefined;
  const { size } = await Deno.stat(path);
  const order = size > MAX_BYTES ? "" : await Deno.readTextFile(path);
  await Deno.remove(path);
  return order;
}
