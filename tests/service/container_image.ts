import { replaced } from "../replaced.ts";

/** Runs `use` as in the container image, which a file marks. */
export async function inContainerImage(use: () => unknown): Promise<void> {
  const { statSync } = Deno;
  using _image = replaced(Deno, {
    statSync: (path) => statSync(path === "/.komari-agent-container" ? Deno.execPath() : path),
  });
  await use();
}
