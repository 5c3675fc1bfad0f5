import type { Host, OpenOptions, Source } from "../../lib/host/host.ts";

/** What the fake machine can do. */
export type FakeHost = Pick<
  Host,
  "roots" | "readText" | "list" | "exists" | "readLink" | "open"
>;

/**
 * A machine made of texts by path, with its trees at their usual places.
 *
 * A text that starts with `-> ` is a symbolic link.
 */
export function fakeHost(files: Readonly<Record<string, string>>): FakeHost {
  const paths = Object.keys(files);
  const at = (path: string): string => path.replace(/\/\.?$/, "").replaceAll("//", "/");
  const readText = (path: string): string | undefined => files[at(path)];
  return {
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    readText,
    list(path) {
      const folder = `${at(path)}/`;
      const below = paths.filter((known) => known.startsWith(folder));
      const names = below.map((known) => known.slice(folder.length).replace(/\/.*/, ""));
      return names.length === 0 ? undefined : [...new Set(names)];
    },
    exists: (path) => paths.some((known) => known === at(path) || known.startsWith(`${at(path)}/`)),
    readLink(path) {
      const text = readText(path);
      return text?.startsWith("-> ") ? text.slice(3) : undefined;
    },
    open: (path, options) => fakeFile(path, () => readText(path), options),
  };
}

/** A file of a fake machine, whose text is asked for at each reading. */
export function fakeFile(
  path: string,
  text: () => string | undefined,
  { isRequired = false, startBytes }: OpenOptions = {},
): Source {
  return fakeSource(() => {
    const read = text()?.slice(0, startBytes);
    if (read === undefined && isRequired) throw new Error(`Cannot read ${path}: no such file`);
    return read;
  });
}

/** A file whose text is asked for at each reading. */
export function fakeSource(text: () => string | undefined): Source {
  return { read: text };
}

/** A file that reads one text after the other, the last one for ever. */
export function fakeSourceSequence(...texts: string[]): Source {
  let next = 0;
  return fakeSource(() => texts[Math.min(next++, texts.length - 1)]);
}
