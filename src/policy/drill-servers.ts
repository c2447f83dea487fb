/** Which containers of a Compose project are the servers of databases, and how a fresh one is entered. Pure. */
import type { PostgresServer } from '../system/types.ts';
import type { RecordedContainer } from './drill-isolation.ts';

const THIS_HOST = ['127.0.0.1', '::1', 'localhost', '0.0.0.0'];
/** Of the official image, and of those that follow it: https://github.com/docker-library/docs/tree/master/postgres */
const CLUSTER = '/var/lib/postgresql/data';
const PORT = 5432;

/** What a container of PostgreSQL makes when it begins with an empty cluster. */
export interface FreshServer {
  /** Where it keeps the cluster. */
  readonly directory: string;
  /** The superuser. */
  readonly user: string;
  readonly password?: string;
}

/** By its name or service, or by the port that it publishes; undefined: the server is no container of this project. */
export function serverContainer<C extends RecordedContainer>(
  { tools, address, port }: PostgresServer,
  project: string,
  containers: readonly C[],
): C | undefined {
  if (tools.kind === 'service') {
    return tools.project === project ? containers.find(({ service }) => service === tools.service) : undefined;
  }
  if (tools.kind === 'container') {
    const own = containers.find(({ name }) => name === tools.container);
    return own ?? containers.find(({ service }) => service === tools.container);
  }
  if (address !== undefined && !THIS_HOST.includes(address)) return undefined;
  return containers.find((container) => publishedAs(container, port) !== undefined);
}

export function freshServer(container: Pick<RecordedContainer, 'config'>): FreshServer {
  const named = (name: string): string | undefined => {
    const value = environmentOf(container)[name];
    return value === undefined || value === '' ? undefined : value;
  };
  const password = named('POSTGRES_PASSWORD');
  return {
    directory: named('PGDATA') ?? CLUSTER,
    user: named('POSTGRES_USER') ?? 'postgres',
    ...(password === undefined ? {} : { password }),
  };
}

/** The port of the server inside its container. */
export function portInside(
  container: Pick<RecordedContainer, 'hostConfig'>,
  { tools, address, port }: PostgresServer,
): number {
  const published = publishedAs(container, port);
  return published ?? (tools.kind !== 'host' && address === undefined ? port : PORT);
}

/** The port inside that the host has under this number. */
function publishedAs({ hostConfig }: Pick<RecordedContainer, 'hostConfig'>, port: number): number | undefined {
  for (const [inside, bindings] of Object.entries((hostConfig['PortBindings'] ?? {}) as Record<string, unknown>)) {
    if (!inside.endsWith('/tcp') || !Array.isArray(bindings)) continue;
    const found = bindings.some((one) => (one as { HostPort?: unknown } | null)?.HostPort === String(port));
    if (found) return Number.parseInt(inside, 10);
  }
  return undefined;
}

function environmentOf({ config }: Pick<RecordedContainer, 'config'>): Record<string, string> {
  const lines = Array.isArray(config['Env']) ? (config['Env'] as unknown[]) : [];
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(String(line)) ?? [];
      return name === undefined ? [] : [[name, value ?? '']];
    }),
  );
}
