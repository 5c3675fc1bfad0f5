import { assertEquals } from "@std/assert";
import { installedPackage, packageOf } from "../../lib/host/this_program.ts";

const NAME = "komari-agent-deno";

/** Runs with a machine's root below which a package has put the program. */
function withRoot(marker: string | undefined, act: (root: string) => void): void {
  const root = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${root}/usr/bin`, { recursive: true });
    Deno.mkdirSync(`${root}/usr/lib/${NAME}`, { recursive: true });
    Deno.writeTextFileSync(`${root}/usr/bin/${NAME}`, "");
    if (marker !== undefined) Deno.writeTextFileSync(`${root}/usr/lib/${NAME}/package`, marker);
    act(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("packageOf() knows a packaged program, by a link too, from another one", () => {
  withRoot("rpm\n", (root) => {
    Deno.symlinkSync("usr/bin", `${root}/bin`);
    Deno.writeTextFileSync(`${root}/another`, "");
    const kindOf = (path: string) => packageOf({ form: "binary", path: root + path }, { root });
    assertEquals(installedPackage({ root }), "rpm");
    assertEquals(kindOf(`/usr/bin/${NAME}`), "rpm");
    assertEquals(kindOf(`/bin/${NAME}`), "rpm");
    assertEquals(kindOf("/another"), undefined);
    assertEquals(kindOf("/missing"), undefined);
  });
});

Deno.test("packageOf() finds none without a marker, or with one that says something else", () => {
  for (const marker of [undefined, "", "snap\n"]) {
    withRoot(marker, (root) => {
      assertEquals(installedPackage({ root }), undefined);
      assertEquals(
        packageOf({ form: "binary", path: `${root}/usr/bin/${NAME}` }, { root }),
        undefined,
      );
    });
  }
});
