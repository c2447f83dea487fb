/** To which moments the database clusters of a system can be brought back, for `list` and `show`. */
import { formatLsn } from '../policy/lsn.ts';
import { basePointIn, reachableTimes, reachOf, type HeldLog, type Reach } from '../policy/reachable.ts';
import { openStore } from '../stores/index.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { PostgresBaseComponent, System } from '../system/types.ts';
import { readHeldLogs } from '../vault/index.ts';
import type { KnownBackup } from '../status/catalogues.ts';
import { tell } from '../observe/told.ts';

export interface Reachable {
  readonly component: string;
  readonly reaches: readonly Reach[];
  /** Why the log could not be read; then a copy of it is told, or the backups alone. */
  readonly trouble?: string;
}

/** By these backups, of each cluster whose log is kept. Needs no identity. */
export async function readReachable(system: System, backups: readonly KnownBackup[]): Promise<Reachable[]> {
  const clusters = system.components.filter(
    (component): component is PostgresBaseComponent => component.kind === 'postgres' && component.method === 'base',
  );
  return Promise.all(
    clusters.map(async (component): Promise<Reachable> => {
      const bases = backups.flatMap(({ entry: { body, trust } }) => {
        if (!trust.ok || body.purpose !== 'backup') return [];
        const record = body.components.find(({ name }) => name === component.name);
        const base = record === undefined ? undefined : basePointIn(body.id, record.facts);
        return base === undefined ? [] : [base];
      });
      const { logs, trouble } = await logsOf(system, component);
      const reaches = bases.flatMap((base) =>
        reachOf(
          base,
          logs.find(({ systemIdentifier }) => systemIdentifier === base.systemIdentifier),
        ),
      );
      return { component: component.name, reaches, ...(trouble === undefined ? {} : { trouble }) };
    }),
  );
}

/** From the store that the log is sent to; when that has none or can't be asked, from the first that holds a copy. */
async function logsOf(
  system: System,
  { name, wal }: PostgresBaseComponent,
): Promise<{ logs: readonly HeldLog[]; trouble?: string }> {
  if (wal === undefined) return { logs: [] };
  const configs = system.stores.toSorted((a, b) => Number(b.name === wal.store) - Number(a.name === wal.store));
  let told: { trouble?: string } = {};
  for (const config of configs) {
    try {
      const logs = await logsIn(system, config, name);
      if (logs.length > 0) return { logs, ...told };
    } catch (error) {
      if (told.trouble === undefined) told = { trouble: `${config.name}: ${tell(error).message}` };
    }
  }
  return { logs: [], ...told };
}

async function logsIn(system: System, config: System['stores'][number], component: string): Promise<HeldLog[]> {
  const store = await openStore(config, resolveSecret);
  try {
    const { rootFingerprint } = system.keys;
    const signal = new AbortController().signal;
    return await readHeldLogs(store, { system: system.name, rootFingerprint, component, signal });
  } finally {
    await store.close();
  }
}

const timeText = (ms: number): string => new Date(ms).toISOString();

/** For `--json`; nothing for a system without clusters. */
export function reachableFacts(reachable: readonly Reachable[]): Record<string, unknown> {
  if (reachable.length === 0) return {};
  return {
    reachable: reachable.map(({ component, reaches, trouble }) => ({
      component,
      times: reachableTimes(reaches).map(({ fromMs, toMs }) => ({ from: timeText(fromMs), to: timeText(toMs) })),
      positions: reaches.map(({ base, timeline, toLsn }) => ({
        backup: base.backup,
        timeline,
        from: formatLsn(base.endLsn),
        to: formatLsn(toLsn),
      })),
      ...(trouble === undefined ? {} : { trouble }),
    })),
  };
}

/** One line for each stretch of time. */
export function reachableLines(reachable: readonly Reachable[]): string[] {
  return reachable.flatMap(({ component, reaches, trouble }) => {
    const times = reachableTimes(reaches).map(({ fromMs, toMs }) =>
      fromMs === toMs ? `  ${timeText(fromMs)}, a backup by itself` : `  ${timeText(fromMs)} to ${timeText(toMs)}`,
    );
    const log = trouble === undefined ? [] : [`  its write-ahead log could not be read: ${trouble}`];
    return times.length + log.length === 0 ? [] : ['', `${component} can be restored to`, ...times, ...log];
  });
}
