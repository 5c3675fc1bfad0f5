/** A way to send reports. */
export interface Transport {
  /** The version of the panel's protocol. */
  readonly version: 1 | 2;
  readonly carrier: "WebSocket" | "POST";
}

/** The name of a transport in the log, the health file and the metrics: `v2 WebSocket`. */
export function transportName({ version, carrier }: Transport): string {
  return `v${version} ${carrier}`;
}

/** Whether two transports are the same, or both absent. */
export function isSameTransport(a: Transport | undefined, b: Transport | undefined): boolean {
  return a?.version === b?.version && a?.carrier === b?.carrier;
}
