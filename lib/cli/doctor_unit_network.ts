/**
 * Settings of a unit, for `doctor`, that take the network, or a part of it, from the service.
 *
 * @module
 */

import { isLoopbackHost, isWithin } from "../parse/ip_address.ts";
import { lastSetting, settingText, type UnitSetting } from "../service/loaded_unit.ts";
import { restart } from "./doctor_unit_settings.ts";
import { addressesOf, type Way } from "./doctor_way.ts";

/** Whether a unit has the kernel drop what its service sends to an address, or to a name's. */
export function isDenied(unit: readonly UnitSetting[], address: string): boolean {
  const lists = (name: string) => {
    const values = unit.filter((it) => it.name === name).map(({ value }) => value);
    // An empty value takes back those before it.
    const words = values.slice(values.lastIndexOf("") + 1).join(" ").split(/\s+/);
    return words.some((word) =>
      word === "any" || word === "localhost" && isLoopbackHost(address) ||
      isWithin(address, word) === true
    );
  };
  return lists("IPAddressDeny") && !lists("IPAddressAllow");
}

/** Settings that take a network, or a part of it, from a service. */
const NETWORK_SETTINGS = ["PrivateNetwork", "NetworkNamespacePath", "IPAddressDeny"];

/**
 * What to do about a setting of the unit that takes the network from the service; `undefined` where
 * it has none.
 *
 * @param names The settings that may explain what was observed.
 * @param addresses Those that can't be reached, by default the first hop's.
 */
export function unitAdvice(
  way: Pick<Way, "unit" | "config" | "url" | "proxy" | "addresses">,
  names: readonly string[] = NETWORK_SETTINGS,
  addresses = addressesOf(way),
): string | undefined {
  const { unit, config } = way;
  const setting = names.flatMap((name) => lastSetting(unit, name) ?? []).find(({ name, value }) =>
    name === "IPAddressDeny"
      ? addresses.some((address) => isDenied(unit, address))
      : !["", "no", "false"].includes(value)
  );
  if (setting === undefined) return undefined;
  const [place, again] = [settingText(setting), restart(config.serviceName)];
  return `the service's unit takes the network from it: remove ${place}, and then: ${again}`;
}
