import { failsOver } from "./catalogue.js"

failsOver("a chain that asks for whole answers by Chat Completions", { api: "chat", wire: "whole" })
failsOver("a chain that asks for whole answers by Messages", { api: "messages", wire: "whole" })
