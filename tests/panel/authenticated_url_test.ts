import { assertEquals } from "@std/assert";
import { authenticatedUrl } from "../../lib/panel/authenticated_url.ts";

Deno.test("authenticatedUrl() escapes the token and what follows it", () => {
  const panel = { endpoint: "https://panel.example.com/x", token: "a+b/c=&d" };
  const url = authenticatedUrl(panel, "/api/clients/terminal", { id: "1&token=2" });
  assertEquals(
    url,
    "https://panel.example.com/x/api/clients/terminal?token=a%2Bb%2Fc%3D%26d&id=1%26token%3D2",
  );
  assertEquals(new URL(url).searchParams.getAll("token"), ["a+b/c=&d"]);
});
