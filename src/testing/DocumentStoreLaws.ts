/**
 * What every document store must do, as effects that any test runner can run.
 *
 * A law opens tenants of its own, so one store instance serves all of them, at
 * once or in turn, and a store that has been used before too.
 *
 * @since 0.1.0
 */
import * as ChangeLaws from "./internal/ChangeLaws.js"
import * as FilterLaws from "./internal/FilterLaws.js"
import * as IndexLaws from "./internal/IndexLaws.js"
import * as InputLaws from "./internal/InputLaws.js"
import type { Law as Law_ } from "./internal/Law.js"
import * as ListLaws from "./internal/ListLaws.js"
import * as RankingLaws from "./internal/RankingLaws.js"
import * as SearchLaws from "./internal/SearchLaws.js"
import * as VersionLaws from "./internal/VersionLaws.js"

/**
 * One promise of the contract. `name` finishes the sentence "it …"; `check`
 * dies with an `AssertionError` when the store breaks it.
 *
 * @since 0.1.0
 * @category testing
 */
export type Law = Law_

/**
 * All laws of `DocumentStore`. The `Embedder` must be the one the store was
 * built with, and should be quick: use `Embedder.layerHash`. While a law is checked,
 * time passes as it does for servers, also under a test's clock; what a store does in
 * the background by the clock it was built with must not be needed for a promise.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  ...IndexLaws.laws,
  ...VersionLaws.laws,
  ...InputLaws.laws,
  ...SearchLaws.laws,
  ...RankingLaws.laws,
  ...FilterLaws.laws,
  ...ListLaws.laws,
  ...ChangeLaws.laws
]
