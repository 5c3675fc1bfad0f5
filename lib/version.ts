import manifest from "../deno.json" with { type: "json" };

/** The program's version; `deno.json` is the one place that has it. */
export const VERSION: string = manifest.version;

/** How the program names itself to servers. */
export const USER_AGENT = `komari-agent-deno/${VERSION}`;
