/**
 * The fitted confidence models. Written by `test/bench/fit-confidence.ts`; do
 * not edit by hand.
 *
 * @since 0.1.0
 */
import type * as Calibration from "../Calibration.js"

/**
 * For hybrid searches with the package's own embedders, and for searches by words alone.
 *
 * @since 0.1.0
 * @category configuration
 */
export const models: ReadonlyArray<Calibration.Model> = [
  {
    format: 1,
    id: "scifact/causeway-sif-384-v1-ef2da24e",
    embedder: "causeway-sif-384-v1-ef2da24e",
    corpus: "scifact",
    fittedOn: "SciFact train questions (scientific claims and abstracts, English)",
    questions: 809,
    ece: 0.0108683,
    auc: 0.894272,
    features: ["bm25Share", "logRank", "cosine", "gap", "behind"],
    intercept: -3.01378,
    weights: [3.91128, -0.820327, 1.74515, 14.9632, -6.8175]
  },
  {
    format: 1,
    id: "scifact/words",
    corpus: "scifact",
    fittedOn: "SciFact train questions (scientific claims and abstracts, English)",
    questions: 809,
    ece: 0.00913593,
    auc: 0.895195,
    features: ["bm25Share", "logRank", "cosine", "gap", "behind"],
    intercept: -2.52198,
    weights: [4.21288, -0.668544, 0, 19.5657, -6.91022]
  },
  {
    format: 1,
    id: "scifact/causeway-hash-384-v1",
    embedder: "causeway-hash-384-v1",
    corpus: "scifact",
    fittedOn: "SciFact train questions (scientific claims and abstracts, English)",
    questions: 809,
    ece: 0.00960775,
    auc: 0.89068,
    features: ["bm25Share", "logRank", "cosine", "gap", "behind"],
    intercept: -2.7092,
    weights: [3.13808, -0.715794, 2.62766, 18.1447, -6.48341]
  }
]
