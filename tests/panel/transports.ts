import type { Transport } from "../../lib/panel/transport.ts";

export const V1_POST: Transport = { version: 1, carrier: "POST" };
export const V1_WEBSOCKET: Transport = { version: 1, carrier: "WebSocket" };
export const V2_POST: Transport = { version: 2, carrier: "POST" };
export const V2_WEBSOCKET: Transport = { version: 2, carrier: "WebSocket" };
