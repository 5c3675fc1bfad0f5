/**
 * The packed text of the other commands, which `build/bundle.ts` writes into a build; none in a checkout.
 *
 * By a function: the engine keeps what a function returns in memory only once it was called.
 */
export const packedCommands = (): string => "";
