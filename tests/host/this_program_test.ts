import { assertEquals } from "@std/assert";
import { isInContainerImage, thisProgram, thisTarget } from "../../lib/host/this_program.ts";

Deno.test("thisProgram() is sources when a module was started", () => {
  const { form, path } = thisProgram();
  assertEquals({ form, path }, {
    form: "source",
    path: decodeURIComponent(new URL(Deno.mainModule).pathname),
  });
});

Deno.test("thisTarget() names a machine for compiled programs alone", () => {
  assertEquals(thisTarget({ form: "source", path: "/x/main.ts" }), "source");
  assertEquals(thisTarget({ form: "portable", path: "/x/agent" }), "portable");
  const arch = { x86_64: "amd64", aarch64: "arm64" }[Deno.build.arch];
  assertEquals(thisTarget({ form: "binary", path: "/x/agent" }), `${Deno.build.os}-${arch}`);
});

Deno.test("isInContainerImage() is false where no image has left its mark", () => {
  assertEquals(isInContainerImage(), false);
});
