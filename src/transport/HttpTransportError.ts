/**
 * Why an HTTP transport did not start, each reason with the address it is about.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Another program listens there.
 *
 * @since 0.1.0
 * @category errors
 */
export class AddressInUse extends Schema.TaggedError<AddressInUse>("causeway/HttpTransport/AddressInUse")(
  "AddressInUse",
  { address: Schema.String }
) {
  override get message() {
    return `another program already listens on ${this.address}`
  }
}

/**
 * The operating system does not let this program listen there.
 *
 * @since 0.1.0
 * @category errors
 */
export class PermissionDenied extends Schema.TaggedError<PermissionDenied>("causeway/HttpTransport/PermissionDenied")(
  "PermissionDenied",
  { address: Schema.String }
) {
  override get message() {
    return `this program is not permitted to listen on ${this.address}`
  }
}

/**
 * The address is not one of this machine's.
 *
 * @since 0.1.0
 * @category errors
 */
export class AddressUnavailable
  extends Schema.TaggedError<AddressUnavailable>("causeway/HttpTransport/AddressUnavailable")(
    "AddressUnavailable",
    { address: Schema.String, cause: Schema.Defect }
  )
{
  override get message() {
    return `it is not possible to listen on ${this.address}`
  }
}

/**
 * The address can be reached from other machines, and nothing asks callers who
 * they are.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("causeway/HttpTransport/Unauthenticated")(
  "Unauthenticated",
  { address: Schema.String }
) {
  override get message() {
    return `${this.address} can be reached from other machines and callers are not authenticated; ` +
      "listen on 127.0.0.1, provide an Authenticator, or set allowUnauthenticatedRemote (ALLOW_UNAUTHENTICATED_REMOTE=true) when something in front authenticates them"
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class HttpTransportError extends Schema.TaggedError<HttpTransportError>(
  "causeway/HttpTransport/HttpTransportError"
)("HttpTransportError", {
  method: Schema.Literal("listen"),
  reason: Schema.Union(AddressInUse, PermissionDenied, AddressUnavailable, Unauthenticated)
}) {
  override get message() {
    return `HttpTransport.${this.method}: ${this.reason.message}`
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const unauthenticated = (address: string): HttpTransportError =>
  new HttpTransportError({ method: "listen", reason: new Unauthenticated({ address }) })

/**
 * Translates what Node says when it cannot listen.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromListen = (address: string) => (cause: NodeJS.ErrnoException): HttpTransportError =>
  new HttpTransportError({
    method: "listen",
    reason: cause.code === "EADDRINUSE"
      ? new AddressInUse({ address })
      : cause.code === "EACCES"
      ? new PermissionDenied({ address })
      : new AddressUnavailable({ address, cause })
  })
