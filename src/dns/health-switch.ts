/** What the standby writes to take names over without any control plane: a file, an object, or a command's doing. */
import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import type { SwitchState } from '../policy/failover/dns-plan.ts';
import { runProgram } from '../sources/checks/program.ts';
import type { Store } from '../stores/index.ts';
import type { Route53HealthEntry } from '../system/dns-types.ts';

export interface SwitchCall {
  /** The site whose host this is. */
  readonly site: string;
  readonly signal: AbortSignal;
  /** A store of the system by name; closed by who asked for it. */
  readonly openStore: (name: string) => Promise<Store>;
}

const ASK_LIMIT_MS = 10_000;
/** Route 53 looks for a text in so much of an answer. */
const SEARCHED_BYTES = 5120;

/** Throws DnsElsewhere where this host can't know, what a store throws, DnsNotAnswered. */
export async function switchState(entry: Route53HealthEntry, call: SwitchCall): Promise<SwitchState> {
  const { switch: how } = entry;
  switch (how.kind) {
    case 'file':
      return onlyAtStandby(entry, call, async () => ((await isFile(how.path)) ? 'on' : 'off'));
    case 'store':
      return withStore(call, how.store, async (store) => ((await store.head(how.key)) === undefined ? 'off' : 'on'));
    case 'command':
      return (await asksLikeAChecker(entry, call.signal)) ? 'on' : 'off';
  }
}

/** A repeat does nothing more. Throws DnsElsewhere, PermissionDenied, DnsCommandFailed, what a store throws. */
export async function setSwitch(entry: Route53HealthEntry, wanted: SwitchState, call: SwitchCall): Promise<void> {
  const { switch: how } = entry;
  const text = `${entry.check.search ?? `${entry.standby} has taken over`}\n`;
  switch (how.kind) {
    case 'file':
      await onlyAtStandby(entry, call, () => (wanted === 'on' ? writeDurably(how.path, text) : removeFile(how.path)));
      return;
    case 'store':
      await withStore(call, how.store, async (store) => {
        if (wanted === 'on') await store.put(how.key, Buffer.from(text), { createOnly: false, signal: call.signal });
        else await store.delete(how.key);
        await store.sync();
      });
      return;
    case 'command': {
      const command = wanted === 'on' ? how.on : how.off;
      const { exitCode, timedOut } = await runProgram(command, {
        timeoutMs: how.timeoutSeconds * 1000,
        signal: call.signal,
        env: { HOLDFAST_SITE: wanted === 'on' ? entry.standby : entry.primary },
      });
      if (exitCode === 0) return;
      const end = timedOut
        ? `took longer than ${how.timeoutSeconds} s`
        : `ended with ${exitCode === undefined ? 'a signal' : `exit code ${exitCode}`}`;
      throw new HoldfastError('DnsCommandFailed', `The switch of zone ${entry.zone}: ${command[0] ?? ''} ${end}`);
    }
  }
}

/** Whether a checker of Route 53 would find it healthy: 2xx or 3xx, and the text where one is declared. */
export async function asksLikeAChecker({ check }: Route53HealthEntry, signal: AbortSignal): Promise<boolean> {
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ASK_LIMIT_MS)]);
    const answer = await fetch(check.url, { redirect: 'manual', signal: limited });
    const body = (await answer.text()).slice(0, SEARCHED_BYTES);
    return answer.status >= 200 && answer.status < 400 && body.includes(check.search ?? '');
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function onlyAtStandby<T>(
  { standby, zone }: Route53HealthEntry,
  { site }: SwitchCall,
  action: () => Promise<T>,
): Promise<T> {
  if (site === standby) return action();
  throw new HoldfastError('DnsElsewhere', `The switch of zone ${zone} is a file at ${standby}, and this is ${site}.`);
}

async function withStore<T>(call: SwitchCall, name: string, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await call.openStore(name);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw denied(file, error);
  }
}

/** A server that reads it finds all of it or nothing; a machine that goes down then has it or hasn't. */
async function writeDurably(file: string, text: string): Promise<void> {
  const beside = `${file}.new`;
  try {
    const handle = await open(beside, 'w', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
    await syncDirectory(file);
  } catch (error) {
    throw denied(file, error);
  }
}

async function removeFile(file: string): Promise<void> {
  try {
    await rm(file, { force: true });
    await syncDirectory(file);
  } catch (error) {
    throw denied(file, error);
  }
}

async function syncDirectory(file: string): Promise<void> {
  const directory = await open(path.dirname(file), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function denied(file: string, cause: unknown): HoldfastError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
  const kind = code === 'ENOSPC' ? 'DiskFull' : code === 'ENOENT' ? 'SourceMissing' : 'PermissionDenied';
  return new HoldfastError(kind, `The switch ${file} could not be read or written (${code})`, { cause });
}
