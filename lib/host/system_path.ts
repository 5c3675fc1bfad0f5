/** The folders of the system's own programs, which a user's or a service's `PATH` may leave out. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
