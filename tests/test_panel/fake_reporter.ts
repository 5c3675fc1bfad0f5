import { assertEquals } from "@std/assert";
import type { TestPanel } from "./test_panel.ts";

/** A report with every field of the contract. */
export const REPORT = {
  cpu: { usage: 12.5 },
  ram: { total: 16_777_216_000, used: 5_033_164_800 },
  swap: { total: 2_147_483_648, used: 134_217_728 },
  load: { load1: 0.52, load5: 0.4, load15: 0.31 },
  disk: { total: 250_790_436_864, used: 87_960_930_222 },
  network: { up: 20_480, down: 1_048_576, totalUp: 81_234_567_890, totalDown: 412_345_678_901 },
  connections: { tcp: 142, udp: 12 },
  uptime: 1_234_567,
  process: 231,
  message: "",
};

/** A basic info with every field of the contract. */
export const BASIC_INFO = {
  arch: "amd64",
  cpu_name: "A Processor",
  cpu_cores: 8,
  cpu_physical_cores: 4,
  mem_total: 16_777_216_000,
  swap_total: 2_147_483_648,
  disk_total: 250_790_436_864,
  gpu_name: "None",
  ipv4: "203.0.113.7",
  ipv6: "2001:db8::7",
  os: "Debian GNU/Linux 12 (bookworm)",
  kernel_version: "6.1.0-37-amd64",
  virtualization: "kvm",
  version: "0.1.0",
};

/** A ping result with every field of the contract. */
export const PING_RESULT = {
  task_id: 1,
  value: 12,
  ping_type: "icmp",
  finished_at: "2026-01-02T03:04:05.678Z",
};

/** The paths of the interface below `/api/clients/`. */
export type Path = "uploadBasicInfo" | "report" | "ping/tasks" | "ping/result";

/** Calls the panel as an agent does. */
export function call(
  panel: Pick<TestPanel, "url" | "token">,
  path: Path,
  init: RequestInit = {},
): Promise<Response> {
  const url = `${panel.url}/api/clients/${path}?token=${encodeURIComponent(panel.token)}`;
  return fetch(url, { redirect: "manual", ...init });
}

/** Posts a body and returns the answer's status and text. */
export async function post(
  panel: Pick<TestPanel, "url" | "token">,
  path: Path,
  body: unknown,
): Promise<[status: number, text: string]> {
  const response = await call(panel, path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return [response.status, await response.text()];
}

/** Posts a body that the panel has to accept. */
export async function deliver(
  panel: Pick<TestPanel, "url" | "token">,
  path: Path,
  body: unknown,
): Promise<void> {
  assertEquals(await post(panel, path, body), [200, '{"status":"success"}']);
}
