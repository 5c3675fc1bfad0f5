import { assertEquals } from "@std/assert";
import type { Seen, SeenWay } from "../../lib/diagnosis/cause.ts";
import { CAUSES, diagnoseFailure, shapeOf } from "../../lib/diagnosis/diagnose.ts";
import { placesOf } from "../../lib/diagnosis/places.ts";

const url = new URL("https://panel.example");
const token = shapeOf("0123456789abcdefghijkl");
const way: SeenWay = { url, proxy: undefined, token, sends: [], places: placesOf(new Map(), url) };

const page = (status: number, text = "", headers: Record<string, string> = {}): Seen => ({
  stage: "answer",
  error: "",
  answer: { status, text, headers: new Map(Object.entries(headers)) },
});

/** Failures, and the rows that tell them. */
const FAILURES: readonly (readonly [cause: string, seen: Seen])[] = [
  ["name", { stage: "lookup", error: "Cannot resolve panel.example: no such name" }],
  ["name server", { stage: "lookup", error: "Cannot resolve panel.example: no answer within 8 s" }],
  ["refused", {
    stage: "connect",
    error: "Cannot connect to panel.example port 443 (192.0.2.7): connection refused",
  }],
  ["not on this machine", {
    stage: "connect",
    error: "Cannot connect to panel.example port 443 (127.0.0.1): connection refused",
  }],
  ["offline", {
    stage: "connect",
    error: "Cannot connect to panel.example port 443 (192.0.2.7): network is unreachable",
  }],
  ["dropped", {
    stage: "connect",
    error: "Cannot connect to panel.example port 443 (192.0.2.7): no answer within 10 s",
  }],
  ["self-signed", {
    stage: "tls",
    error: "Cannot trust the certificate of panel.example: it is self-signed",
  }],
  ["no TLS", {
    stage: "tls",
    error:
      "Cannot connect to panel.example port 443: it does not speak TLS; is it an http:// address?",
  }],
  ["hangs", { stage: "silent", error: "no answer within 6 s" }],
  ["unknown token", { stage: "token", error: "the panel does not know this token" }],
  ["moved", page(301, "", { location: "https://new.example/api/clients/v2/rpc" })],
  ["cloudflare challenge", page(403, "<html>", { "cf-mitigated": "challenge" })],
  ["no upstream", page(502, "<h1>502")],
  ["no panel", page(404, "<h1>404")],
];

Deno.test("each failure is told by its row", () => {
  const found = FAILURES.map(([, seen]) => diagnoseFailure(seen, way).cause);
  assertEquals(found, FAILURES.map(([cause]) => cause));
});

Deno.test("no two rows have the same name", () => {
  assertEquals(new Set(CAUSES.map(({ id }) => id)).size, CAUSES.length);
});

Deno.test("a token is told by its shape, and not shown", () => {
  const seen: Seen = { stage: "token", error: "the panel does not know this token" };
  const of = (token: string) => diagnoseFailure(seen, { ...way, token: shapeOf(token) });
  assertEquals(of("${TOKEN}").cause, "variable for a token");
  assertEquals(of('"secret').cause, "odd token");
  assertEquals(of("secret").cause, "token of another length");
  assertEquals(JSON.stringify(of('"secret')).includes("secret"), false);
});
