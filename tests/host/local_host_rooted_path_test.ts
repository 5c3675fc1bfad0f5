import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LocalHost } from "../../lib/host/local_host.ts";
import { followBelow } from "../../lib/host/local_host.ts";
import { TempFolder } from "../temp_folder.ts";

const LINKS: Readonly<Record<string, string>> = {
  "/host/etc/os-release": "/etc/static/os-release",
  "/host/etc/static": "/nix/store/abc-etc/etc",
  "/host/nix/store/abc-etc/etc/os-release": "../../xyz-os-release",
  "/host/etc/up": "../../../../etc/passwd",
  "/host/etc/circle": "/etc/other",
  "/host/etc/other": "circle",
};

Deno.test("followBelow() follows links as programs of that root do", () => {
  const follow = (path: string) => followBelow("/host", path, (link) => LINKS[link]);
  assertEquals(follow("/host/etc/os-release"), "/host/nix/store/xyz-os-release");
  assertEquals(follow("/host/etc/static/os-release"), "/host/nix/store/xyz-os-release");
  assertEquals(follow("/host/usr//lib/./os-release"), "/host/usr/lib/os-release");
  assertEquals(follow("/host/etc/up"), "/host/etc/passwd", "nothing leads out of the root");
  assertEquals(follow("/host/etc/circle"), "/host/etc/circle");
});

Deno.test("followBelow() leads out of the root by no link", () => {
  const names = fc.array(fc.constantFrom("..", ".", "a", "b", ""), { maxLength: 6 });
  const targets = fc.tuple(fc.boolean(), names).map(([isAbsolute, names]) =>
    `${isAbsolute ? "/" : ""}${names.join("/")}`
  );
  fc.assert(fc.property(names, fc.dictionary(fc.constantFrom("/r/a", "/r/b", "/r/a/b"), targets), (
    path,
    links,
  ) => {
    const found = followBelow("/r", `/r/${path.join("/")}`, (link) => links[link]);
    const isCircle = found === `/r/${path.join("/")}`;
    assertEquals(isCircle || (found.startsWith("/r/") && !found.includes("..")), true, found);
  }));
});

Deno.test("LocalHost reads below another root what absolute links of that root lead to", async () => {
  using temp = new TempFolder();
  const folder = await Deno.realPath(temp.path);
  const root = `${folder}/host`;
  await Deno.mkdir(`${root}/etc`, { recursive: true });
  await Deno.mkdir(`${root}/nix/store/abc`, { recursive: true });
  await Deno.writeTextFile(`${root}/nix/store/abc/os-release`, "PRETTY_NAME=NixOS\n");
  await Deno.symlink("/nix/store/abc/os-release", `${root}/etc/os-release`);
  await Deno.symlink("/nix/store/abc", `${root}/etc/static`);
  const host = new LocalHost({ proc: `${root}/proc`, sys: `${root}/sys`, root });
  assertEquals(host.readText(`${root}/etc/os-release`), "PRETTY_NAME=NixOS\n");
  assertEquals(host.list(`${root}/etc/static`), ["os-release"]);
  assertEquals(host.exists(`${root}/etc/static/os-release`), true);
  assertEquals(host.open(`${root}/etc/os-release`).read(), "PRETTY_NAME=NixOS\n");
  // This machine's own links lead from its own root.
  const own = new LocalHost({ proc: "/proc", sys: "/sys", root: "/" });
  assertEquals(own.readText(`${root}/etc/os-release`), undefined);
});
