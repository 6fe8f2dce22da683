import * as Laws from "./laws.js"
import { layerStdio } from "./Place.js"
import * as Stop from "./stop.js"

Laws.suite("stdio", layerStdio)
Stop.suite("stdio", layerStdio, "refused")
