/** Database servers that come back with their stack, as plans name them. */

export interface LateServer {
  readonly component: string;
  /** The Compose component that brings it. */
  readonly stack: string;
  readonly service: string;
}
