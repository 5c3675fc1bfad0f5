import { assertEquals } from "@std/assert";
import { serviceConfigText } from "../../lib/service/service_config.ts";
import { configOf } from "./fake_system.ts";

Deno.test("serviceConfigText() makes paths absolute and keeps other values", () => {
  const config = configOf(["install", "-e", "https://p.example", "-t", "secret", "--gpu"]);
  const paths = { ca_cert: "own/ca.pem", host_proc: "own/proc", config_file: "" };
  const given = new Map([...config.explicitOptions, ...Object.entries(paths)]);
  const text = serviceConfigText({ ...config, explicitOptions: given }, {
    folder: "/home/ann",
    stateFolder: "/var/lib/node-2",
  });
  assertEquals(JSON.parse(text), {
    endpoint: "https://p.example",
    ca_cert: "/home/ann/own/ca.pem",
    host_proc: "/home/ann/own/proc",
    config_file: "",
    enable_gpu: true,
    token: "secret",
    state_dir: "/var/lib/node-2",
  });
});
