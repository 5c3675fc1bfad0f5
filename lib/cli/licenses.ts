/**
 * The command `licenses`: what the program contains besides its own code, and under which terms.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };
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

/** The packages in the bundle of the program, and the runtime that brings it to life. */
export const BUNDLED_PACKAGES: readonly BundledPackage[] = [
  {
    name: "@logtape/logtape",
    version: versionOf("@logtape/logtape"),
    homepage: "https://github.com/dahlia/logtape",
    copyright: "Copyright 2024–2025 Hong Minhee",
  },
  {
    name: "deno-std",
    version: versionOf("deno-std"),
    homepage: "https://github.com/denoland/std",
    copyright: DENO_AUTHORS,
  },
  {
    name: "jsonc-parser",
    version: versionOf("jsonc-parser"),
    homepage: "https://github.com/microsoft/node-jsonc-parser",
    copyright: "Copyright (c) Microsoft",
  },
  {
    name: "ws",
    version: versionOf("ws"),
    homepage: "https://github.com/websockets/ws",
    copyright: "Copyright (c) 2011 Einar Otto Stangvik <einaros@gmail.com>\n" +
      "Copyright (c) 2013 Arnout Kazemier and contributors\n" +
      "Copyright (c) 2016 Luigi Pinca and contributors",
  },
  {
    name: "deno",
    version: Deno.version.deno,
    homepage: "https://github.com/denoland/deno",
    copyright: DENO_AUTHORS,
  },
];

/** The terms of the MIT license, which follow the copyright. */
export const MIT_TERMS =
  `Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of
the Software, and to permit persons to whom the Software is furnished to do so,
subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** Prints the license of the program and of everything in it. */
export function runLicenses(_config: Config, { print }: CommandContext): Promise<number> {
  print(licensesText());
  return Promise.resolve(0);
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

/** The version that `deno.json` names for a package on npm. */
function versionOf(name: string): string {
  const prefix = `npm:${name}@`;
  const target = Object.values(manifest.imports).find((target) => target.startsWith(prefix)) ?? "";
  return target.slice(prefix.length).split("/")[0] ?? "";
}
