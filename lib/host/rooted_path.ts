/** As many as the kernel follows in a path. */
const MAX_LINKS = 40;

/**
 * The place of a path below another root, with each symbolic link on the way followed as programs there
 * see it: absolute ones lead from that root, and no `..` leads out of it. The path itself where links
 * lead in a circle.
 *
 * @param readLink Target of a symbolic link; `undefined` for anything else.
 */
export function followBelow(
  root: string,
  path: string,
  readLink: (path: string) => string | undefined,
): string {
  const rest = path.slice(root.length).split("/").reverse();
  let names: string[] = [];
  let links = 0;
  while (rest.length > 0) {
    const name = rest.pop() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      names.pop();
      continue;
    }
    const target = readLink(`${root}/${[...names, name].join("/")}`);
    if (target === undefined) {
      names.push(name);
      continue;
    }
    if (++links > MAX_LINKS) return path;
    if (target.startsWith("/")) names = [];
    rest.push(...target.split("/").reverse());
  }
  return `${root}/${names.join("/")}`;
}
