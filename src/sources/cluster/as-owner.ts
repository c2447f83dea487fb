/** A recovered cluster asked as the role that it was made with, which may always do it. */
import { withPostgres } from '../../postgres/open.ts';
import type { PrivateServer } from '../../postgres/private-server.ts';
import type { PostgresAccess } from '../../postgres/types.ts';
import type { PostgresBaseComponent, PostgresServer } from '../../system/types.ts';
import type { KindContext } from '../kinds/component.ts';

export interface OwnServer {
  readonly server: PrivateServer;
  readonly component: PostgresBaseComponent;
  readonly programs: string;
}

/** Runs `use` with an access of the bootstrap superuser, and ends what is open then. */
export async function withOwner<T>(
  own: OwnServer,
  context: KindContext,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  return withRole(own, await ownerRole(own, context), context, use);
}

function withRole<T>(
  { server, component, programs }: OwnServer,
  user: string,
  { docker }: KindContext,
  use: (access: PostgresAccess) => Promise<T>,
): Promise<T> {
  const itself: PostgresServer = {
    address: server.socketDirectory,
    port: server.port,
    tls: 'disable',
    maintenanceDatabase: component.server.maintenanceDatabase,
    tools: { kind: 'host', directory: programs },
    backup: { user },
  };
  return withPostgres(itself, 'backup', { docker }, use);
}

/** OID 10; a role of the system file is in the cluster to ask for its name. */
async function ownerRole(own: OwnServer, context: KindContext): Promise<string> {
  const { signal } = context;
  const { restore, backup } = own.component.server;
  let trouble: unknown;
  for (const user of new Set([restore?.user, backup.user, 'postgres'])) {
    if (user === undefined) continue;
    try {
      const { rows } = await withRole(own, user, context, (access) =>
        access.withClient({ signal }, (client) =>
          client.query<{ rolname: string }>('SELECT rolname FROM pg_roles WHERE oid = 10'),
        ),
      );
      return rows[0]?.rolname ?? user;
    } catch (error) {
      signal.throwIfAborted();
      trouble ??= error;
    }
  }
  throw trouble;
}
