import { slowCases, testMatrixCase } from "../../end_to_end/panel_matrix.ts";

// Every generation of the panel, every setting, with and without remote control.
for (const one of slowCases()) testMatrixCase(one);
