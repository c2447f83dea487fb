/** How the last deliveries to each channel went, kept beside the system's state: a channel that is broken is a trouble itself. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Finding } from '../policy/findings.ts';
import { stateDirectory } from '../system/home.ts';

export interface DeliveryRecord {
  readonly channel: string;
  /** RFC 3339. */
  readonly deliveredAt?: string;
  /** Absent: the last attempt succeeded. */
  readonly failingSince?: string;
  readonly failedAttempts?: number;
  /** Of the last attempt that failed. No secret. */
  readonly why?: string;
}

function directoryOf(system: string): string {
  return path.join(stateDirectory(system), 'notify');
}

/** Atomic; of two at once one wins, and the next attempt says it anew. */
export async function recordDelivery(system: string, channel: string, failure: string | undefined): Promise<void> {
  const directory = directoryOf(system);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = path.join(directory, `${channel}.json`);
  const before = await readRecord(file);
  const now = new Date().toISOString();
  const { deliveredAt } = before ?? {};
  const record: DeliveryRecord =
    failure === undefined
      ? { channel, deliveredAt: now }
      : {
          channel,
          ...(deliveredAt === undefined ? {} : { deliveredAt }),
          failingSince: before?.failingSince ?? now,
          failedAttempts: (before?.failedAttempts ?? 0) + 1,
          why: failure,
        };
  const temporary = `${file}.${randomUUID()}.tmp`;
  await writeFile(temporary, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  await rename(temporary, file);
}

async function readRecord(file: string): Promise<DeliveryRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DeliveryRecord;
  } catch (error) {
    // A damaged record is replaced by the next attempt's.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Of every channel that anything was ever sent to, by name. */
export async function deliveryRecords(system: string): Promise<DeliveryRecord[]> {
  const directory = directoryOf(system);
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const files = names.filter((name) => name.endsWith('.json')).toSorted();
  const records = await Promise.all(files.map((name) => readRecord(path.join(directory, name))));
  return records.filter((record) => record !== undefined);
}

/** Channels of the system file that messages do not get through to, as findings of the check `notify`. */
export async function channelFindings(system: {
  readonly name: string;
  readonly notify: readonly { readonly name: string }[];
}): Promise<Finding[]> {
  const records = await deliveryRecords(system.name);
  return records.flatMap(({ channel, failingSince, failedAttempts = 1, why = 'unknown' }): Finding[] => {
    if (failingSince === undefined || !system.notify.some(({ name }) => name === channel)) return [];
    const attempts = failedAttempts === 1 ? '1 attempt has' : `${failedAttempts} attempts have`;
    return [
      {
        system: system.name,
        check: 'notify',
        subject: channel,
        severity: 'warning',
        what: `messages do not get through to ${channel}: ${attempts} failed since ${failingSince}, the last because ${why}`,
        hint: `Correct the channel in the system file or its receiver, then try it: holdfast notify test ${system.name} ${channel}`,
        since: failingSince,
      },
    ];
  });
}
