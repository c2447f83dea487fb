/** Slots of logs that are not asked for any more: their servers keep log for them until the disk is full. */
import { formatBytes } from '../observe/format.ts';
import { dropping } from '../postgres/judge.ts';
import { openPostgres } from '../postgres/open.ts';
import { findLeftSlot } from '../postgres/replication.ts';
import { usualSlot } from '../system/postgres-build.ts';
import type { PostgresBaseComponent, System } from '../system/types.ts';
import { hostHere } from './of-system.ts';

export interface LeftSlotStatus {
  readonly component: string;
  readonly slot: string;
  readonly heldBackBytes: number;
  readonly drop: string;
}

const LIMIT_MS = 3_000;

/** Of the components of this host. What can't be asked now is asked by `doctor`, which says why. */
export async function leftSlots(system: System): Promise<LeftSlotStatus[]> {
  const candidates = system.components.filter(
    (component): component is PostgresBaseComponent =>
      component.kind === 'postgres' &&
      component.method === 'base' &&
      (component.wal?.mode !== 'stream' || component.wal.slot !== usualSlot(component.name)),
  );
  if (candidates.length === 0) return [];
  const here = hostHere(system);
  const own = candidates.filter(({ host }) => host === here);
  const found = await Promise.all(own.map((component) => leftSlotOf(component).catch(() => undefined)));
  return found.filter((one) => one !== undefined);
}

async function leftSlotOf(component: PostgresBaseComponent): Promise<LeftSlotStatus | undefined> {
  const { connectDocker } = await import('../docker/connect.ts');
  const docker = connectDocker();
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    const access = await openPostgres(component.server, 'backup', { docker: () => docker });
    try {
      const slot = usualSlot(component.name);
      const left = await access.withClient({ signal }, (client) => findLeftSlot(client, slot));
      if (left === undefined) return undefined;
      return { component: component.name, slot, heldBackBytes: left.heldBytes, drop: dropping(slot) };
    } finally {
      await access.close();
    }
  } finally {
    docker.close();
  }
}

export function leftSlotText({ component, slot, heldBackBytes, drop }: LeftSlotStatus): string {
  return `slot   ${component}: ${slot} is left on the server and holds back ${formatBytes(heldBackBytes)}; if it is not wanted: ${drop}`;
}
