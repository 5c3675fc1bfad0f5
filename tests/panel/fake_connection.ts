import type { Config } from "../../lib/config/config.ts";
import type { PanelObserver } from "../../lib/panel/observer.ts";
import { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { configOf } from "../metrics/config_of.ts";

/** The configuration without any option. */
export const DEFAULTS: Config = configOf();

function unexpected(): never {
  throw new Error("this call was not expected");
}

/** A connection that reaches no panel: a test replaces the methods of its clients that it expects. */
export function fakeConnection(
  config: Config = DEFAULTS,
  observers: readonly PanelObserver[] = [],
): PanelConnection {
  const access = { endpoint: "http://127.0.0.1:9", token: "" };
  const connection = new PanelConnection(access, config, observers);
  const { clientV1, clientV2, opener } = connection;
  clientV1.sendReport = clientV1.sendBasicInfo = clientV1.sendProbeResult = unexpected;
  clientV1.sendCommandResult = clientV1.fetchTasks = unexpected;
  clientV2.report = clientV2.call = clientV2.pull = unexpected;
  opener.open = unexpected;
  return connection;
}
