/** Part of a file in the memory of a process. */
export interface FileMapping {
  readonly address: number;
  readonly bytes: number;
}

/** Such as `55e0…-55e1… r-xp 01b8e000 fe:00 1234  /usr/bin/deno`. */
const HEAD = /^([0-9a-f]{1,13})-([0-9a-f]{1,13}) (\S{4}) \S+ \S+ \S+\s*(.*)$/;

/**
 * Parses `/proc/PID/smaps`: mappings of files that the process can't write to and has no changed page
 * of, so that the kernel could read each page from the file again.
 *
 * Anything that is not understood is left out.
 */
export function parseCleanFileMappings(text: string): FileMapping[] {
  const found: FileMapping[] = [];
  let mapping: FileMapping | undefined;
  for (const line of text.split("\n")) {
    const head = HEAD.exec(line);
    if (head !== null) {
      const [, from = "", to = "", permissions = "", path = ""] = head;
      const address = parseInt(from, 16);
      const isReadOnlyFile = path.startsWith("/") && /^r-[x-]p$/.test(permissions);
      mapping = isReadOnlyFile ? { address, bytes: parseInt(to, 16) - address } : undefined;
    } else if (mapping !== undefined && /^Anonymous: +0 kB$/.test(line)) {
      found.push(mapping);
      mapping = undefined;
    }
  }
  return found;
}
