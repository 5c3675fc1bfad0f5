/**
 * The check of `doctor` of the round trip to a panel: how long a call takes, whether a large one gets
 * there, and whether packets are lost.
 *
 * @module
 */

import { roundMs } from "../log/log.ts";
import type { HttpResponse } from "../net/http_client.ts";
import { reasonOf } from "../panel/http_exchange.ts";
import { type CheckResult, failed, ok, warning } from "./checks.ts";
import { answerAdvice, answererText, asLimit } from "./doctor_advice.ts";
import {
  FURTHER_CONNECTIONS,
  kernelCount,
  lossAdvice,
  PINGS,
  sentAgain,
  slowConnections,
} from "./doctor_loss.ts";
import { largePacketsLook, largePacketsLost, smallerPackets } from "./doctor_mtu.ts";
import { PanelCalls } from "./doctor_panel_calls.ts";
import { addressOf, failureText, firstHop, type Way } from "./doctor_way.ts";

const MAX_ROUND_TRIP_MS = 1_000;
/** So often the kernel sends a packet again within the time that a call waits. */
const SENT_AGAIN = 3;
/** More than fits into one packet, as reports with many values are. */
const LARGE_REQUEST_BYTES = 4_000;

/**
 * A finding where connections take as long as a lost packet costs, and pings are lost, or the kernel has
 * sent the first packets again.
 */
async function lossOn(
  way: Way,
  text: string,
  signal: AbortSignal,
): Promise<CheckResult | undefined> {
  const lost = await way.pings?.catch(() => undefined) ?? 0;
  if (lost === 0 && sentAgain() === way.sentAgain) return undefined;
  const { port } = firstHop(way);
  const address = addressOf(way);
  const before = kernelCount("TCPSynRetrans");
  const slow = await slowConnections(address, { port, signal });
  if (slow === 0) return undefined;
  // A busy machine has slow connections, too.
  if (lost === 0 && kernelCount("TCPSynRetrans") - before < slow) return undefined;
  const found = warning(
    lost === 0
      ? `${text}; ${slow} of ${FURTHER_CONNECTIONS} connections take over 1 s, and their first packets ` +
        "were sent again: packets are lost on the way"
      : `${text}; ${lost} of ${PINGS} pings are lost, and ${slow} of ${FURTHER_CONNECTIONS} connections ` +
        "take over 1 s: packets are lost on the way",
    lossAdvice(address),
  );
  return { ...found, kind: "packets_lost" };
}

/** Measures a small call, over the connection of the calls before, and then tries a large one. */
export async function measureRoundTrip(
  calls: PanelCalls,
  { way, signal }: { way: Way; signal: AbortSignal },
): Promise<CheckResult> {
  const startedAtMs = performance.now();
  const small = await calls.unknownMethod(signal);
  const ms = performance.now() - startedAtMs;
  const text = `${roundMs(ms)} ms`;
  const before = sentAgain();
  try {
    const large = await calls.unknownMethod(signal, { padding: LARGE_REQUEST_BYTES });
    // The call before it has been answered.
    const isLimit = ({ status }: HttpResponse) => status === 429 || status === 503;
    const again = isLimit(large) ? await calls.unknownMethod(signal) : small;
    const limited = [small, again].find(isLimit);
    if (limited !== undefined) {
      const found = warning(
        `further calls are refused: status ${limited.status}${reasonOf(limited.text)}` +
          answererText(limited, way),
        ...answerAdvice(asLimit(limited), way),
      );
      return { ...found, kind: "limited" };
    }
    if (large.status !== small.status) {
      return failed(
        `a small request is answered in ${text}, and one of ${LARGE_REQUEST_BYTES} bytes with ` +
          `status ${large.status}${reasonOf(large.text)}${answererText(large, way)}`,
        ...answerAdvice(large, way),
      );
    }
  } catch (error) {
    signal.throwIfAborted();
    const again = sentAgain() - before;
    const address = addressOf(way);
    const said =
      `a small request is answered in ${text}, and one of ${LARGE_REQUEST_BYTES} bytes is ` +
      `not: ${failureText(error)}`;
    const large = await largePacketsLost(address, signal);
    if (large !== undefined) return failed(`${said}; ${large.text}`, ...large.advice);
    // The kernel of the next machine takes them, whatever its programs do.
    if (again >= SENT_AGAIN) {
      return failed(
        `${said}; meanwhile ${again} packets were sent again, so large ones are lost on the way there`,
        ...smallerPackets(address, firstHop(way).port),
      );
    }
    return failed(
      said,
      largePacketsLook(way, { isOut: true }),
      "see in the log of a proxy in front of the panel what it makes of larger requests",
    );
  }
  const lossy = await lossOn(way, text, signal);
  if (lossy !== undefined) return lossy;
  if (ms <= MAX_ROUND_TRIP_MS) return ok(text);
  const { host } = way.url;
  return warning(
    text,
    `see whether the way is slow: ping -c 5 ${host.replace(/:\d+$/, "")}`,
    "see on the panel's machine whether it is overloaded: top",
  );
}
