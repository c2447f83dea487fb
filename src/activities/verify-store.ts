/** Reads a whole store back, a share at a time, and heals what is bad when asked to. */
import { nextParts, PARTS, readBackOf } from '../policy/read-back.ts';
import { isArchived } from '../policy/thaw.ts';
import { resolveSecret, type System } from '../system/index.ts';
import type { Store } from '../stores/index.ts';
import type { Signer } from '../vault/envelope.ts';
import { readHead } from '../vault/head.ts';
import { closeLeftHealings, type OtherStore } from '../vault/verify/heal.ts';
import { readingOf, readReadings, type ReadingBody } from '../vault/verify/readings.ts';
import { readStoreBack } from '../vault/verify/store-reading.ts';
import { readTrustRoots, vaultIdByRoot } from '../vault/trust.ts';
import type { StoreVerdict } from '../workflows/contract.ts';
import { identitiesIn, type HostContext } from './host-context.ts';
import { healingLock, storeOf, withMaintained, withOthers } from './maintained.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';

type Input = Parameters<HostActivities['verifyStore']>[0];

const BAD_SHOWN = 50;
const COLD =
  'Its objects lie in an archive class: reading them back needs a thaw, which takes hours and costs money. They were looked at for presence only.';

/** Verdicts come back also for a bad store; only what keeps from judging is thrown. */
export async function verifyStore(context: HostContext, input: Input, run: Run): Promise<StoreVerdict> {
  const system = await context.system(input.system);
  const look = (store: Store, signer: Signer, beside: Pick<Opened, 'others' | 'compare'>): Promise<StoreVerdict> =>
    verifyOpened(system, input, run, { store, signer, host: context.host, ...beside });
  return withMaintained(system, input.store, async (store, signer) => {
    const onTrouble = (name: string, why: string): void => run.log.warn({ store: name, why }, 'cannot be asked');
    if (!input.heal) return withOthers(system, input.store, onTrouble, (compare) => look(store, signer, { compare }));
    // An attempt that has lost its time may still be at work: then this one waits, by being tried again.
    const lock = await healingLock(system.name, input.store, run.signal);
    try {
      return await withOthers(system, input.store, onTrouble, (others) => look(store, signer, { others }));
    } finally {
      await lock.release();
    }
  });
}

interface Opened {
  readonly store: Store;
  readonly signer: Signer;
  readonly host: string;
  /** To heal from. */
  readonly others?: readonly OtherStore[];
  /** To compare with. */
  readonly compare?: readonly OtherStore[];
}

async function verifyOpened(
  system: System,
  input: Input,
  run: Run,
  { store, signer, host, others, compare }: Opened,
): Promise<StoreVerdict> {
  const config = storeOf(system, input.store);
  const { rootFingerprint, identity } = system.keys;
  const isCold = isArchived(config);
  const level = isCold ? 'presence' : input.level;
  // What the root signed comes first: a damaged head must not make everything else look foreign.
  const vaultId = (await vaultIdByRoot(store, rootFingerprint)) ?? (await readHead(store, system.name)).vaultId;
  const roots = await readTrustRoots(store, vaultId, rootFingerprint);
  const from = { store, vaultId, roots };
  if (others !== undefined) await closeLeftHealings(from, { signer, host }, run.signal);
  const before = await readReadings(from, run.signal);
  const { verifyEverySeconds: everySeconds } = config;
  const earlier = before.filter((one) => one.run === input.runId && one.level === level);
  const parts = partsOf(input, isCold, before, everySeconds).filter((part) => !isDone(earlier, part));
  const identities = identity === undefined ? undefined : identitiesIn(await resolveSecret(identity));
  const written =
    parts.length === 0
      ? []
      : await readStoreBack({
          ...from,
          system: system.name,
          signal: run.signal,
          level,
          parts,
          run: input.runId,
          signer,
          host,
          identities,
          others,
          compare,
          logsHere: logsReceivedInto(system, input.store),
          onProgress: (done, total, bytesDone) =>
            run.report({ phase: `verify ${input.store}: part ${done + 1} of ${total}`, bytesDone }),
        });
  const known = readBackOf([...before, ...written].map(readingOf), { everySeconds, nowMs: Date.now() });
  return {
    ...verdictOf(input.store, level, [...earlier, ...written]),
    ...toldOf(known),
    ...(isCold ? { note: COLD } : {}),
  };
}

/** Components whose write-ahead log lies there first. */
function logsReceivedInto(system: System, store: string): string[] {
  return system.components.flatMap((one) =>
    one.kind === 'postgres' && one.method === 'base' && one.wal?.store === store ? [one.name] : [],
  );
}

/** A repeat of a run takes the same parts: it must not count its own first attempt as the last reading. */
function partsOf(input: Input, isCold: boolean, before: readonly ReadingBody[], everySeconds: number): number[] {
  if (input.all || isCold) return Array.from({ length: PARTS }, (_, part) => part);
  const others = before.filter(({ run }) => run !== input.runId).map(readingOf);
  return nextParts(others, { everySeconds, nowMs: Date.now() });
}

function isDone(earlier: readonly ReadingBody[], part: number): boolean {
  return earlier.some(({ from, to }) => from <= part && part <= to);
}

function toldOf({ completeSinceMs, fraction }: ReturnType<typeof readBackOf>) {
  return {
    fraction,
    ...(completeSinceMs === undefined ? {} : { completeSince: new Date(completeSinceMs).toISOString() }),
  };
}

function verdictOf(
  store: string,
  level: StoreVerdict['level'],
  records: readonly ReadingBody[],
): Omit<StoreVerdict, 'fraction'> {
  const sum = (of: (record: ReadingBody) => number): number => records.reduce((total, one) => total + of(one), 0);
  // What hangs on no part is told by every record.
  const bad = new Map(records.flatMap((record) => record.bad.map((one) => [one.key, one])));
  const shown = [...bad.values()].slice(0, BAD_SHOWN);
  return {
    store,
    level,
    ok: [...bad.values()].every(({ outcome }) => outcome === 'healed') && sum(({ moreBad }) => moreBad) === 0,
    parts: sum(({ from, to }) => to - from + 1),
    objectsChecked: sum(({ objectsChecked }) => objectsChecked),
    bytesChecked: sum(({ bytesChecked }) => bytesChecked),
    unjudged: sum(({ unjudged }) => unjudged),
    opened: records.every(({ opened }) => opened),
    bad: shown.map(({ key, code, what, backups, backupCount, outcome, from }) => {
      return { key, code, what, backups, backupCount, outcome, ...(from === undefined ? {} : { from }) };
    }),
    moreBad: bad.size - shown.length + sum(({ moreBad }) => moreBad),
  };
}
