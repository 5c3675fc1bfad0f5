import type { SeenWay } from "../../lib/diagnosis/cause.ts";
import { placesOf, shapeOf } from "../../lib/diagnosis/diagnose.ts";

const url = new URL("https://panel.example.com/");

/** A way to a panel, without a proxy and with a whole token. */
export const WAY: SeenWay = {
  url,
  proxy: undefined,
  token: shapeOf("abcdefghijklmnopqrstuv"),
  sends: [],
  places: placesOf(new Map(), url),
};
