/** One turn of bringing a store up to what the others hold. */
import { hostLock } from '../docker/host-lock.ts';
import { HoldfastError } from '../failures.ts';
import { copiesDue } from '../policy/copies-due.ts';
import { openStore, type Store } from '../stores/index.ts';
import { resolveSecret, type StoreConfig, type System } from '../system/index.ts';
import { clearSettledCopies } from '../vault/copy/settled.ts';
import { openCopy, type Surveyed, type VaultCopy } from '../vault/copy/copy.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import type { CopyTurn, CopyTurnInput } from './types.ts';

/** A turn ends after this long, so that the workflow's history shows how far it is. */
const TURN_MS = 30 * 60_000;
const REFUSED_TOLD = 20;
/** A directory has no round trips to hide. */
const AT_ONCE_IN_DIRECTORY = 8;

export async function copyTurn(context: HostContext, input: CopyTurnInput, run: Run): Promise<CopyTurn> {
  const system = await context.system(input.system);
  // An attempt that has lost its time may still be at work: then this one waits, by being tried again.
  const lock = await hostLock(`copy ${context.stateDirectory(system.name)} ${input.target}`, run.signal);
  try {
    return await withCopy(system, input, run, (copy, names) => new Turn(system, input, run, copy, names).run());
  } finally {
    await lock.release();
  }
}

type Names = ReadonlyMap<Store, string>;

class Turn {
  private readonly system: System;
  private readonly input: CopyTurnInput;
  private readonly activity: Run;
  private readonly vault: VaultCopy;
  private readonly names: Names;
  private readonly refused: { what: string; why: string }[] = [];
  private refusedCount = 0;

  constructor(system: System, input: CopyTurnInput, run: Run, copy: VaultCopy, names: Names) {
    this.system = system;
    this.input = input;
    this.activity = run;
    this.vault = copy;
    this.names = names;
  }

  async run(): Promise<CopyTurn> {
    const { system, input, vault } = this;
    const until = Date.now() + TURN_MS;
    this.activity.report({ phase: `look at ${input.target}` });
    const surveyed = await vault.survey(wantedBy(system, input));
    const wanted = wantedIn(system, input, surveyed);
    for (const { manifestKey, why } of surveyed) if (why !== undefined) this.refuse(manifestKey, why);
    // Before anything that takes long: a prune of the target must know of them.
    await vault.carryHolds(new Set(surveyed.filter(({ there }) => there).map(({ backupId }) => backupId)));
    await vault.carryAudit();
    const copied: Surveyed[] = [];
    let left = wanted.length;
    // The newest first: it is what a person would restore if everything else were lost at this moment.
    for (const one of wanted) {
      if (copied.length > 0 && Date.now() > until) break;
      if (await this.copy(one, left)) copied.push(one);
      left -= 1;
    }
    const wal = left > 0 || input.backup !== undefined ? NO_WAL : await this.copyLogs(surveyed, copied);
    const verified = await this.verify(copied);
    const silent = vault.silent.map(({ store, error }) => ({
      store: this.names.get(store) ?? store.label,
      why: error.message,
    }));
    const { refused, refusedCount } = this;
    return { left, backups: copied.length, ...vault.tally, ...wal, refused, refusedCount, verified, silent };
  }

  /** False when this one can't be copied, which is told; the others go on. */
  private async copy(one: Surveyed, left: number): Promise<boolean> {
    const { vault, activity } = this;
    try {
      await vault.copy(one.manifestKey, ({ objects, of }) =>
        activity.report({
          phase: `${left} to copy: ${one.backupId}, ${objects} of ${of} objects`,
          bytesDone: vault.tally.bytes,
          filesDone: vault.tally.objects,
        }),
      );
      return true;
    } catch (error) {
      activity.signal.throwIfAborted();
      if (!(error instanceof HoldfastError) || !SPEAKS_OF_ONE.includes(error.code)) throw error;
      this.refuse(one.manifestKey, error.message);
      return false;
    }
  }

  /** By the base backups that are in the target now: without one its log is worth nothing. */
  private async copyLogs(surveyed: readonly Surveyed[], copied: readonly Surveyed[]) {
    const { system, input, vault, activity } = this;
    const here = new Set(copied);
    const bases = surveyed.filter((one) => one.there || here.has(one)).flatMap(({ fact }) => fact?.bases ?? []);
    let [walPieces, walBytes] = [0, 0];
    for (const component of system.components) {
      if (component.kind !== 'postgres' || component.method !== 'base' || component.wal === undefined) continue;
      if (component.wal.store === input.target) continue;
      const own = bases.flatMap((one) => (one.component === component.name ? [one.base] : []));
      if (own.length === 0) continue;
      const done = await vault.copyWal(component.name, own, (pieces) =>
        activity.report({ phase: `log of ${component.name}: ${pieces} pieces`, bytesDone: vault.tally.bytes }),
      );
      walPieces += done.pieces;
      walBytes += done.bytes;
      for (const { key, why } of done.refused) this.refuse(key, why);
      this.refusedCount += done.refusedCount - done.refused.length;
    }
    return { walPieces, walBytes };
  }

  /** The newest of each plan; the older ones come round by verification. */
  private async verify(copied: readonly Surveyed[]): Promise<CopyTurn['verified']> {
    const newest = new Map<string, Surveyed>();
    for (const one of copied) if (!newest.has(one.plan)) newest.set(one.plan, one);
    const verified: { backup: string; ok: boolean }[] = [];
    for (const { manifestKey, backupId } of newest.values()) {
      const { ok } = await this.vault.verify(manifestKey, (done, total) =>
        this.activity.report({ phase: `verify ${backupId}: ${done} of ${total} objects` }),
      );
      verified.push({ backup: backupId, ok });
    }
    return verified;
  }

  private refuse(what: string, why: string): void {
    this.refusedCount += 1;
    if (this.refused.length < REFUSED_TOLD) this.refused.push({ what, why });
  }
}

const NO_WAL = { walPieces: 0, walBytes: 0 };

/** What keeps one backup from being copied and says nothing of the next. */
const SPEAKS_OF_ONE: readonly string[] = [
  'ObjectMissing',
  'ObjectCorrupt',
  'BackupMissing',
  'CaptureSuperseded',
  'Untrusted',
  'VaultFormat',
];

function wantedBy(system: System, { target, backup }: CopyTurnInput): (plan: string, backupId: string) => boolean {
  if (backup !== undefined) return (_, id) => id === backup;
  const plans = new Set(system.plans.filter(({ stores }) => stores.includes(target)).map(({ name }) => name));
  return (plan) => plans.has(plan);
}

/** What the target lacks and would keep, newest first. Safety backups are for the host that made them. */
function wantedIn(system: System, { target, backup }: CopyTurnInput, surveyed: readonly Surveyed[]): Surveyed[] {
  const usable = surveyed.filter(({ fact }) => fact?.purpose === 'backup');
  const lacking = usable.filter(({ there }) => !there);
  if (backup !== undefined) {
    if (surveyed.length > 0) return lacking;
    throw new HoldfastError('BackupMissing', `no other store of ${system.name} has a backup ${backup}`);
  }
  const backups = usable.flatMap((one) =>
    one.fact === undefined ? [] : [{ ...one.fact, key: one.manifestKey, plan: one.plan, there: one.there }],
  );
  const options = { nowMs: Date.now(), keepAsideSeconds: system.keepAsideSeconds };
  const due = new Set(system.plans.flatMap((plan) => copiesDue(plan, target, backups, options).map(({ key }) => key)));
  return lacking.filter(({ manifestKey }) => due.has(manifestKey));
}

/** Opens the target and the stores to copy from, and closes them at the end. */
async function withCopy<T>(
  system: System,
  input: CopyTurnInput,
  run: Run,
  use: (copy: VaultCopy, names: Names) => Promise<T>,
): Promise<T> {
  const { target: targetName, source } = input;
  const targetConfig = configOf(system, targetName);
  const sourceConfigs =
    source === undefined ? system.stores.filter(({ name }) => name !== targetName) : [configOf(system, source)];
  if (sourceConfigs.length === 0 || source === targetName) {
    throw new HoldfastError('BadInput', `${system.name} has no other store than ${targetName} to copy from`);
  }
  const names = new Map<Store, string>();
  const opened: Store[] = [];
  const open = async (config: StoreConfig): Promise<Store> => {
    const store = await openStore(config, resolveSecret, { role: 'maintain' });
    names.set(store, config.name);
    opened.push(store);
    return store;
  };
  try {
    const target = await open(targetConfig);
    const cleared = await clearSettledCopies(target, run.signal);
    if (cleared > 0) run.log.warn({ cleared }, 'copies that a sweep had settled begin again');
    const sources = await openThose(sourceConfigs, open);
    const signerKey = await resolveSecret(system.keys.keeper ?? system.keys.signer);
    const copy = await openCopy({
      target,
      sources,
      system: system.name,
      rootFingerprint: system.keys.rootFingerprint,
      signerKey,
      signal: run.signal,
      ...atOnceOf(targetConfig),
    });
    return await use(copy, names);
  } finally {
    await Promise.all(opened.map((store) => store.close()));
  }
}

/** One that can't even be opened, such as a mount that is away, is passed over while another can. */
async function openThose(
  configs: readonly StoreConfig[],
  open: (config: StoreConfig) => Promise<Store>,
): Promise<Store[]> {
  const opened: Store[] = [];
  let trouble: HoldfastError | undefined;
  for (const config of configs) {
    try {
      opened.push(await open(config));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      trouble ??= error;
    }
  }
  if (opened.length === 0 && trouble !== undefined) throw trouble;
  return opened;
}

function atOnceOf(config: StoreConfig): { atOnce?: number } {
  const atOnce = config.parallelism ?? (config.kind === 'directory' ? AT_ONCE_IN_DIRECTORY : undefined);
  return atOnce === undefined ? {} : { atOnce };
}

function configOf(system: System, name: string): StoreConfig {
  const found = system.stores.find((store) => store.name === name);
  if (found !== undefined) return found;
  const known = system.stores.map((store) => store.name).join(', ');
  throw new HoldfastError('BadInput', `${system.name} has no store ${name}; it has ${known}`);
}
