/**
 * The command `licenses`: what the program contains besides its own code, and under which terms.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
import license from "../../LICENSE" with { type: "text" };
import type { Config } from "../config/config.ts";
import type { CommandContext } from "./command.ts";

/** A package that is part of the program. All of them have the MIT license. */
export interface BundledPackage {
  /** Its name on npm. */
  readonly name: string;
  readonly version: string;
  readonly homepage: string;
  /** The lines of its license that name who holds the copyright. */
  readonly copyright: string;
}

const DENO_AUTHORS = "Copyright 2018-2026 the Deno authors";

/** The packages in the bundle of the program, and the runtime that it runs on. */
export const BUNDLED_PACKAGES: readonly BundledPackage[] = [
  onNpm("@logtape/logtape", "dahlia/logtape", "Copyright 2024–2025 Hong Minhee"),
  onNpm("deno-std", "denoland/std", DENO_AUTHORS),
  onNpm("jsonc-parser", "microsoft/node-jsonc-parser", "Copyright (c) Microsoft"),
  { ...onNpm("deno", "denoland/deno", DENO_AUTHORS), version: Deno.version.deno },
];

/** The terms of the MIT license, which follow the copyright. */
export const MIT_TERMS = license.slice(license.indexOf("Permission is hereby granted"));

/** A package in the version that `deno.json` names, with its repository on GitHub. */
function onNpm(name: string, repository: string, copyright: string): BundledPackage {
  const prefix = `npm:${name}@`;
  const target = Object.values(manifest.imports).find((target) => target.startsWith(prefix)) ?? "";
  const [version = ""] = target.slice(prefix.length).split("/");
  return { name, version, homepage: `https://github.com/${repository}`, copyright };
}

/** Prints the license of the program and of everything in it. */
export function runLicenses(_config: Config, { print }: CommandContext): number {
  print(licensesText());
  return 0;
}

/** Copyrights and homepages of the program and its packages, and the terms that all of them share. */
export function licensesText(): string {
  const packages = BUNDLED_PACKAGES.map(({ name, version, homepage, copyright }) =>
    `${name} ${version}, ${homepage}\n${copyright}\n`
  );
  return [
    "komari-agent-deno\nCopyright (c) 2026 the komari-agent-deno contributors\n",
    ...packages,
    "The runtime contains V8 and other works; its repository names them and their licenses.\n",
    `MIT License, which all of the above have:\n\n${MIT_TERMS}`,
  ].join("\n");
}
