/**
 * The panel that the tests run agents against.
 *
 * @module
 */

export {
  type StandInPanel as TestPanel,
  type StandInPanelOptions as TestPanelOptions,
  startStandInPanel as startTestPanel,
} from "../../lib/demo/stand_in_panel.ts";
