import type { ServiceCommand } from "./service_command.ts";

/** What a property list of launchd starts, in its form as XML; of another form nothing is known. */
export function parseLaunchdCommand(text: string): ServiceCommand {
  const plain = text.replace(/<!--[\s\S]*?-->/g, "");
  const variables = partOf(plain, "EnvironmentVariables", "dict");
  const pairs = variables.matchAll(/<key>([^<]*)<\/key>\s*<string>([^<]*)<\/string>/g);
  return {
    words: stringsOf(partOf(plain, "ProgramArguments", "array")),
    env: Object.fromEntries(
      Array.from(pairs, ([, name = "", value = ""]) => [unescape(name), unescape(value)]),
    ),
    workingDirectory: unescape(partOf(plain, "WorkingDirectory", "string")),
    user: unescape(partOf(plain, "UserName", "string")),
  };
}

/** What stands within the value of a key. */
function partOf(text: string, key: string, type: string): string {
  const start = text.search(new RegExp(`<key>\\s*${key}\\s*</key>\\s*<${type}>`));
  if (start === -1) return "";
  const from = text.indexOf(`<${type}>`, start) + type.length + 2;
  const end = text.indexOf(`</${type}>`, from);
  return end === -1 ? "" : text.slice(from, end);
}

function stringsOf(text: string): string[] {
  return Array.from(text.matchAll(/<string>([^<]*)<\/string>|<string\/>/g), ([, value = ""]) => {
    return unescape(value);
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? all;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
