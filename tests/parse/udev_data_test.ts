import { assertEquals } from "@std/assert";
import { parseUdevData } from "../../lib/parse/udev_data.ts";

Deno.test("parseUdevData() reads properties alone, and at most 500", () => {
  const text = "S:disk/by-id/x\nI:123\nE:ID_MODEL=A=B\nE:ID_PATH=\nE:bad name=1\nG:systemd\n";
  assertEquals([...parseUdevData(text)], [["ID_MODEL", "A=B"], ["ID_PATH", ""]]);
  const many = Array.from({ length: 600 }, (_, index) => `E:N${index}=1`).join("\n");
  assertEquals(parseUdevData(many).size, 500);
});
