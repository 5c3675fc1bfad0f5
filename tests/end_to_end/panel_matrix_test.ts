import { fastCases, testMatrixCase } from "./panel_matrix.ts";

// Each generation, each setting and each transport once; the other cells are slow tests.
for (const one of fastCases) testMatrixCase(one);
