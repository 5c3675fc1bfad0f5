/**
 * Writes into the pages what has its place elsewhere: the repository's name and the version of
 * `deno.json`, and the tables of options. This is `deno task docs`.
 *
 * @module
 */

import manifest from "../deno.json" with { type: "json" };
import type { Language } from "../lib/config/environment.ts";
import { OPTION_PAGES, writeOptionTables } from "./options_page.ts";

/** Stands for the repository on GitHub while `deno.json` names none. */
export const PLACEHOLDER = "OWNER/NAME";

const ROOT = new URL("../", import.meta.url);

/** Files besides the pages in `docs/` that name the repository. */
const FILES = [
  "README.md",
  "README.zh-CN.md",
  "compose.yaml",
  "deploy/kubernetes.yaml",
  "install.sh",
];

/** Where a text names the repository, with what is before the name; other repositories stay. */
const PLACES = [
  /(https:\/\/github\.com\/)[\w.-]+\/[\w.-]+(?=\.git |\/releases)/g,
  /(\bghcr\.io\/)[\w.-]+\/[\w.-]+(?=:)/g,
  /(--repo )[\w.-]+\/[\w.-]+/g,
];

/** Where a text names an image's version. */
const IMAGE_VERSION = /(\bghcr\.io\/[\w.-]+\/[\w.-]+:)[\w.-]+/g;

const BEGIN = "<!-- repository -->";
const END = "<!-- /repository -->";

/** What to do as long as the commands have the placeholder. */
const ADVICE: Readonly<Record<Language, string>> = {
  en: `In the commands, replace \`${PLACEHOLDER}\` with this repository's name on GitHub.`,
  zh: `请把命令中的 \`${PLACEHOLDER}\` 换成本仓库在 GitHub 上的名称。`,
};

/** The paths of all files that name the repository, within it. */
export function stampedFiles(): string[] {
  const pages = ["docs/", "docs/zh-CN/"].flatMap((folder) =>
    Array.from(Deno.readDirSync(new URL(folder, ROOT)), ({ name }) => folder + name)
  );
  return [...FILES, ...pages.filter((path) => path.endsWith(".md"))];
}

/** The text of a file with the repository's name, or with the placeholder if that is empty. */
export function stampRepository(text: string, repository: string, language: Language): string {
  const stamped = PLACES.reduce(
    (text, place) =>
      text.replace(place, (_, before: string) => before + (repository || PLACEHOLDER)),
    text.replace(/^REPOSITORY='[^']*'$/m, `REPOSITORY='${repository}'`)
      .replace(IMAGE_VERSION, `$1${manifest.version}`),
  );
  const [begin, end] = [stamped.indexOf(BEGIN), stamped.indexOf(END)];
  if (begin === -1) return stamped;
  const advice = repository === "" ? `${ADVICE[language]}\n\n` : "";
  return `${stamped.slice(0, begin)}${BEGIN}\n\n${advice}${stamped.slice(end)}`;
}

/** The language of a page by its path. */
export function languageOfPage(path: string): Language {
  return path.includes("zh-CN") ? "zh" : "en";
}

if (import.meta.main) {
  for (const path of stampedFiles()) {
    const url = new URL(path, ROOT);
    const language = languageOfPage(path);
    const text = Deno.readTextFileSync(url);
    const stamped = stampRepository(text, manifest.repository, language);
    const written = OPTION_PAGES.some((page) => page.path === path)
      ? writeOptionTables(stamped, path, language)
      : stamped;
    if (written !== text) Deno.writeTextFileSync(url, written);
  }
}
