/**
 * What every task store must do, as effects that any test runner can run.
 *
 * @since 0.1.0
 */
import * as TaskEndLaws from "./internal/TaskEndLaws.js"
import type { Law as Law_ } from "./internal/TaskLaw.js"
import * as TaskRoundLaws from "./internal/TaskRoundLaws.js"

/**
 * One promise of the contract. `name` finishes the sentence "it …"; `check`
 * dies with an `AssertionError` when the store breaks it. It is given two
 * handles on one store, as two instances of a server have them; the same one
 * twice where there can be no other. It moves the `TestClock`, so it must run
 * under one that stands at the same moment for every law; laws run in turn.
 *
 * @since 0.1.0
 * @category testing
 */
export type Law = Law_

/**
 * All laws of `TaskStore`. Each works on tasks of its own, so that they may run
 * again against the same store.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [...TaskEndLaws.laws, ...TaskRoundLaws.laws]
