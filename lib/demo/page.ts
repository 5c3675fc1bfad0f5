/**
 * The files of the stand-in panel's page, and its terminal emulator.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import { type Answer, htmlAnswer } from "./http_answer.ts";
import basicInfo from "./page/basic_info.js" with { type: "text" };
import developers from "./page/developers.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import files from "./page/files.js" with { type: "text" };
import log from "./page/log.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import model from "./page/model.js" with { type: "text" };
import plots from "./page/plots.js" with { type: "text" };
import presence from "./page/presence.js" with { type: "text" };
import probes from "./page/probes.js" with { type: "text" };
import remoteControl from "./page/remote_control.js" with { type: "text" };
import terminal from "./page/terminal.js" with { type: "text" };
import text from "./page/text.js" with { type: "text" };
import tiles from "./page/tiles.js" with { type: "text" };
import style from "./page/page.css" with { type: "text" };
import markup from "./page/page.html" with { type: "text" };

/** The page's files by the path that they are served at. */
const texts: Readonly<Record<string, string>> = {
  "page.css": style,
  "basic_info.js": basicInfo,
  "developers.js": developers,
  "dom.js": dom,
  "files.js": files,
  "log.js": log,
  "main.js": main,
  "model.js": model,
  "plots.js": plots,
  "presence.js": presence,
  "probes.js": probes,
  "remote_control.js": remoteControl,
  "terminal.js": terminal,
  "text.js": text,
  "tiles.js": tiles,
};

/** The path of the page's files, without the name. */
export const PAGE_FILES_PATH = "/demo/page/";

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The page itself, without data; it may load nothing but the panel's own files. */
export function pageAnswer(
  language: "en" | "zh",
  { remoteControl }: { remoteControl: boolean },
): Answer {
  const body = markup
    .replace('lang="en"', `lang="${language}"`)
    .replace('data-remote-control="off"', `data-remote-control="${remoteControl ? "on" : "off"}"`);
  const answer = htmlAnswer(200, body);
  return {
    ...answer,
    headers: {
      ...answer.headers,
      "content-security-policy": policy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  };
}

/** A script or the style sheet of the page; `undefined` when there is none of that name. */
export function pageFileAnswer(name: string): Answer | undefined {
  const text = Object.hasOwn(texts, name) ? texts[name] : undefined;
  return text === undefined ? undefined : fileAnswer(name, text);
}

/**
 * The script or style sheet of the terminal emulator.
 *
 * Loaded when a page asks for it and named in no import, since the bundle would grow by half a MB.
 *
 * @throws {Error} When the package is neither installed nor downloadable (`Cannot load …`).
 */
export async function emulatorAnswer(file: "xterm.js" | "xterm.css"): Promise<Answer> {
  const name: string = manifest.imports["@xterm/xterm"];
  try {
    // The runtime finds a text only in a package that it has loaded as a module before.
    await import(`${name}/package.json`, { with: { type: "json" } });
    const path = `${name}/${file === "xterm.js" ? "lib" : "css"}/${file}`;
    const text: { default: string } = await import(path, { with: { type: "text" } });
    return fileAnswer(file, text.default);
  } catch (cause) {
    throw new Error(`Cannot load ${name}`, { cause });
  }
}

function fileAnswer(name: string, body: string): Answer {
  return {
    status: 200,
    headers: {
      "content-type": `text/${name.endsWith(".js") ? "javascript" : "css"}; charset=utf-8`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
    body,
  };
}
