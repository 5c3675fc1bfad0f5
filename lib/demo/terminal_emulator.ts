/**
 * The files of the terminal emulator that the page shows terminals with.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import type { Answer } from "./answer.ts";

/**
 * The emulator's script or style sheet.
 *
 * Asked of the runtime when a page wants it, and named in no import: the bundle would hold half a MB
 * more for everybody.
 *
 * @throws {Error} When the package is neither there nor to be had (`Cannot load …`).
 */
export async function emulatorAnswer(file: "xterm.js" | "xterm.css"): Promise<Answer> {
  const name: string = manifest.imports["@xterm/xterm"];
  const isScript = file === "xterm.js";
  try {
    // The runtime finds a text only in a package that it has met as a module.
    await import(`${name}/package.json`, { with: { type: "json" } });
    const path = `${name}/${isScript ? "lib" : "css"}/${file}`;
    const text: { default: string } = await import(path, { with: { type: "text" } });
    return {
      status: 200,
      headers: {
        "content-type": `text/${isScript ? "javascript" : "css"}; charset=utf-8`,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      },
      body: text.default,
    };
  } catch (cause) {
    throw new Error(`Cannot load ${name}`, { cause });
  }
}
