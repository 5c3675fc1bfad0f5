import type { SeenAnswer } from "../../lib/diagnosis/cause.ts";

/** An answer with the headers that have a value. */
export function answer(
  status: number,
  text = "",
  headers: Readonly<Record<string, string | undefined>> = {},
): SeenAnswer {
  const given = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const]
  );
  return { status, text, headers: new Map(given) };
}
