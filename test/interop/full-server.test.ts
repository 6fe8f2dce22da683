import * as Laws from "./laws.js"
import { layerHttp, layerMemory } from "./Place.js"
import * as Stop from "./stop.js"

Laws.suite("http", layerHttp)
Laws.suite("memory", layerMemory)
Stop.suite("http", layerHttp, "answered")
Stop.suite("memory", layerMemory, "refused")
