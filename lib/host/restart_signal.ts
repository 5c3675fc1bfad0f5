/** Asks an agent to end in such a way that its service starts it again. */
export const RESTART_SIGNAL = "SIGUSR2";

/** How it ends then: some services start again only what has failed. */
export const RESTART_EXIT_CODE = 75;
