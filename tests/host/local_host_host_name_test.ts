import { assertEquals } from "@std/assert";
import { hostName } from "../../lib/host/local_host.ts";

Deno.test({
  name: "hostName() gives the kernel's name of the machine",
  ignore: Deno.build.os !== "linux",
  fn() {
    assertEquals(hostName(), Deno.readTextFileSync("/proc/sys/kernel/hostname").trim());
  },
});

Deno.test("hostName() is empty where the runtime may not ask", () => {
  const { hostname } = Deno;
  Deno.hostname = () => {
    throw new Deno.errors.NotCapable("requires sys access");
  };
  try {
    assertEquals(hostName(), "");
  } finally {
    Deno.hostname = hostname;
  }
});
