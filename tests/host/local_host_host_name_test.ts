import { assertEquals } from "@std/assert";
import { hostName } from "../../lib/host/local_host.ts";

Deno.test({
  name: "hostName() gives the kernel's name of the machine",
  ignore: Deno.build.os !== "linux",
  fn() {
    assertEquals(hostName(), Deno.readTextFileSync("/proc/sys/kernel/hostname").trim());
  },
});
