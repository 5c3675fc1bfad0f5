// Everything that the page has received. Data of an agent is not trusted: it enters the page as text,
// never as markup.

export const model = {
  log: [],
  aheadMs: 0,
  connected: false,
  report: undefined,
  history: [],
  pingHistory: [],
  basicInfo: {},
  tasks: [],
  fault: "",
  faults: [],
  counts: undefined,
};

/** The panel's time, in milliseconds since 1970. */
export const nowMs = () => Date.now() + model.aheadMs;

/** The results of a probe: time, id of the task, milliseconds or -1 when it was lost. */
export const resultsOf = (task) => model.pingHistory.filter((result) => result[1] === task.id);
