import { assertEquals } from "@std/assert";
import { servicePaths } from "../../lib/service/service_paths.ts";

const OWNER = { uid: 1000, home: "/home/ann", userRuntimeDir: "/run/user/1000", os: "linux" };

Deno.test("servicePaths() depend on the service's name", () => {
  const { config, programFolder, stateFolder, runtimeFolder } = servicePaths(
    "node-2",
    { ...OWNER, uid: 0 },
  );
  const expected = ["/etc/node-2/config.json", "/opt/node-2", "/var/lib/node-2", "/run/node-2"];
  assertEquals([config, programFolder, stateFolder, runtimeFolder], expected);
});

Deno.test("servicePaths() of a user's service are in the home and runtime folder", () => {
  const paths = servicePaths("node-2", OWNER);
  const { runtimeFolder, ...others } = paths;
  assertEquals(runtimeFolder, "/run/user/1000/node-2");
  assertEquals(Object.values(others).filter((path) => !path.startsWith("/home/ann/")), []);
  const alone = servicePaths("node-2", { ...OWNER, userRuntimeDir: "" });
  assertEquals(alone.runtimeFolder, "/home/ann/.local/state/node-2/run");
  const mac = servicePaths("node-2", { ...OWNER, os: "darwin" });
  assertEquals(mac.runtimeFolder, `${mac.stateFolder}/run`);
});
