import { StateFile } from "../../lib/state/state_file.ts";

/** The file of a number, behind which blanks may stand: `FOLDER/n.state`. */
export function numberFile(folder: string): StateFile<number> {
  return new StateFile(folder, {
    name: "n",
    parse(text) {
      if (!/^\d+ *$/.test(text)) throw new SyntaxError("no number");
      return Number(text);
    },
  });
}
