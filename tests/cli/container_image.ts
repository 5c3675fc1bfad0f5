/** Runs `use` as in the container image, which a file marks. */
export async function inContainerImage(use: () => unknown): Promise<void> {
  const { statSync } = Deno;
  Deno.statSync = (path) =>
    path === "/.komari-agent-container" ? statSync(Deno.execPath()) : statSync(path);
  try {
    await use();
  } finally {
    Deno.statSync = statSync;
  }
}
