// #region test
import { layer } from "@effect/vitest"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as SessionStoreLaws from "causeway-mcp/testing/SessionStoreLaws"

// Put the layer of your own store here.
layer(SessionStore.layerMemory)("my session store", (it) => {
  for (const law of SessionStoreLaws.laws) it.effect(law.name, () => law.check)
})
// #endregion test
