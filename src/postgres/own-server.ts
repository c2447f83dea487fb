/** A server that was made for a restored copy alone, in a container of its own: nobody needs a secret to it. */
import type { DockerHost } from '../docker/types.ts';
import type { PostgresServer } from '../system/types.ts';
import { withPostgres } from './open.ts';
import type { PostgresAccess } from './types.ts';

export interface OwnServer {
  /** Its role is the superuser. */
  readonly server: PostgresServer;
  /** As the container was told it; for this process only, never for a history. */
  readonly password?: string;
}

/** Opens the server for as long as `use` runs. */
export function withOwnServer<T>(
  { server, password = '' }: OwnServer,
  docker: () => DockerHost,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  return withPostgres(server, 'restore', { docker, resolveSecret: () => Promise.resolve(password) }, use);
}
