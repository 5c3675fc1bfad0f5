import { assertEquals } from "@std/assert";
import { redactQueries, redactSecrets } from "../../lib/log/redact.ts";

Deno.test("redactQueries() takes queries out of URLs and leaves questions alone", () => {
  assertEquals(redactQueries("(http://a/b?token=x&y=z): refused"), "(http://a/b?…): refused");
  assertEquals(redactQueries("is it right? yes"), "is it right? yes");
});

Deno.test("redactSecrets() removes secrets, plain and URL-encoded", () => {
  assertEquals(redactSecrets("token a/b, ?token=a%2Fb", ["", "a/b"]), "token …, ?token=…");
});
