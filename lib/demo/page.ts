/**
 * The files of the stand-in panel's page.
 *
 * @module
 */

import { type Answer, htmlAnswer } from "./http_answer.ts";
import basicInfo from "./page/basic_info.js" with { type: "text" };
import developers from "./page/developers.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import log from "./page/log.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import model from "./page/model.js" with { type: "text" };
import plots from "./page/plots.js" with { type: "text" };
import presence from "./page/presence.js" with { type: "text" };
import probes from "./page/probes.js" with { type: "text" };
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
  "log.js": log,
  "main.js": main,
  "model.js": model,
  "plots.js": plots,
  "presence.js": presence,
  "probes.js": probes,
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
export function pageAnswer(language: "en" | "zh"): Answer {
  const answer = htmlAnswer(200, markup.replace('lang="en"', `lang="${language}"`));
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
