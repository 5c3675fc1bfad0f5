/**
 * The events that the page shows: the whole state when it connects, then each change, as Server-Sent
 * Events. Nothing is sent while nothing changes.
 *
 * @module
 */

import { faults } from "./fault.ts";
import type { StoredReport } from "./messages.ts";
import type { PanelNode } from "./node.ts";
import type { PanelState, ReceivedMessage, StateChange } from "./panel_state.ts";

/** Maximum size of events that wait for a page that does not read. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** Sends the whole state, then each change, until the page or the panel closes. */
export function streamEvents({ state }: PanelNode, options: { signal: AbortSignal }): Response {
  const gone = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (event: unknown) => {
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`));
        if ((controller.desiredSize ?? 0) >= 0) return;
        gone.abort();
        controller.error(new Error("Cannot send events: the page does not read them"));
      };
      send(wholeState(state));
      state.subscribe((update) => {
        send({ ...changeOf(update, state), counts: state.counts });
      }, { signal: AbortSignal.any([gone.signal, options.signal]) });
    },
    cancel: () => gone.abort(),
  }, new ByteLengthQueuingStrategy({ highWaterMark: MAX_PENDING_BYTES }));
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  return new Response(body, { headers });
}

function wholeState(state: PanelState): unknown {
  const latest = state.reports.at(-1);
  return {
    nowMs: Date.now(),
    log: state.logLines,
    history: state.reports.map(point),
    pingHistory: state.pingResults.map((result) => [
      result.atMs,
      result.value.taskId,
      result.value.valueMs,
    ]),
    ...(latest === undefined ? {} : { report: reportOf(latest) }),
    basicInfo: state.columns,
    tasks: state.tasks,
    fault: state.fault?.name ?? "",
    faults: faults.map(({ name, en, zh }) => [name, en, zh]),
    counts: state.counts,
  };
}

function changeOf(update: StateChange, state: PanelState): Record<string, unknown> {
  if ("report" in update) {
    return { report: reportOf(update.report), history: [point(update.report)] };
  }
  if ("pingResult" in update) {
    const { atMs, value } = update.pingResult;
    return { pingHistory: [[atMs, value.taskId, value.valueMs]] };
  }
  if ("basicInfo" in update) return { basicInfo: state.columns };
  if ("logLine" in update) return { log: [update.logLine] };
  if ("tasks" in update) return { tasks: update.tasks };
  if ("fault" in update) return { fault: update.fault?.name ?? "" };
  return {};
}

function reportOf(arrival: ReceivedMessage<StoredReport>): unknown {
  return { ...arrival.value, atMs: arrival.atMs, by: arrival.by };
}

/** The values of a report that the charts show: time, CPU, memory used and total, up, down. */
function point({ atMs, value }: ReceivedMessage<StoredReport>): number[] {
  return [
    atMs,
    value.cpu.usage,
    value.ram.used,
    value.ram.total,
    value.network.up,
    value.network.down,
  ];
}
