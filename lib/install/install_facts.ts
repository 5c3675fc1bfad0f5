import type { InstallRecord } from "../service/install_record.ts";
import type { ManagerKind } from "../service/managed_service.ts";
import type { ServicePlaces } from "../service/service_places.ts";
import type { ServiceUser } from "./service_user.ts";

/** What is known before anything is done. */
export interface InstallFacts {
  readonly kind: ManagerKind;
  readonly places: ServicePlaces;
  readonly user: ServiceUser;
  /** The Deno for a portable build; `undefined` for one that needs none. */
  readonly deno: string | undefined;
  /** How far this machine lets a service be shut off. */
  readonly sandbox: "full" | "without view";
  /** What was installed before. */
  readonly before: InstallRecord | undefined;
  /** Whether the program can be linked to where it is found by its name; or what is wrong there. */
  readonly link: "free" | "taken" | "no folder";
  /** The user whose services end with his logins, so far; `undefined` where there is none. */
  readonly notLingering: string | undefined;
}
