import { failsOver } from "./catalogue.js"

failsOver("a chain that gathers streams of Chat Completions", { api: "chat", wire: "stream" })
failsOver("a chain that gathers streams of Messages", { api: "messages", wire: "stream" })
